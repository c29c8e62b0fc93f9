with

margins as (
    select * from {{ ref('rpt_margin_by_account') }}
),

-- A fee in advance brings revenue to months that have yet to cost anything: no exceptions there.
begun as (
    select max(month) as last_month
    from margins
    where
        cogs <> 0
        or invoiced_revenue <> 0
),

judged as (
    select
        margins.*,
        {{ margin_floor_pct() }} as margin_floor_pct,
        kinds.kind
    from margins
    inner join begun
        on margins.month <= begun.last_month
    cross join
        lateral (
            values
            ('below_floor', margins.margin_pct < {{ margin_floor_pct() }}),
            ('negative_margin', margins.revenue <> 0 and margins.margin < 0),
            ('cost_without_revenue', margins.revenue = 0 and margins.cogs > 0),
            -- What Odoo invoices besides the services is not expected to cost a provider anything.
            (
                'revenue_without_cost',
                margins.revenue > 0 and margins.cogs = 0 and margins.service_code is not null
            )
        ) as kinds (kind, holds)
    where kinds.holds
),

final as (
    select
        {{ key_of([
            "to_char(month, 'YYYY-MM-DD')", 'service_code', 'account_key', 'kind'
        ]) }} as exception_key,
        month,
        service_code,
        account_key,
        partner_name,
        kind,
        usage_revenue,
        base_revenue,
        revenue,
        cogs,
        margin,
        margin_pct,
        margin_floor_pct,
        currency
    from judged
)

select * from final
