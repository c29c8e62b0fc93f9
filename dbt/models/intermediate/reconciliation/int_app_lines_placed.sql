-- Each line that an app billed, under the period of ours that it is about, and what it is: a line,
-- a copy of a line that stands on another invoice too, a proration, or a credit.

with

lines as (
    select * from {{ ref('stg_app_billing__lines') }}
    where
        is_billed
        and item_type in ('charge', 'subscription', 'minimum_commitment')
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

named as (
    select
        app_line_key,
        service_code,
        -- A line that names no subscription still stands by its account.
        coalesce(subscription_key, account_key || ':?', service_code || '::?') as subscription_key,
        account_key,
        case item_type when 'subscription' then 'base_fee' else 'charge' end as item_type,
        case item_type when 'charge' then metric_code end as metric_code,
        external_invoice_id,
        invoice_kind,
        is_proration,
        period_from,
        period_to,
        period_start,
        coalesce(period_end, period_start + 1) as period_end,
        -- A minimum is an amount: the one unit that Lago states of it counts nothing.
        case item_type when 'minimum_commitment' then 0 else quantity end as quantity,
        amount,
        case when invoice_kind = 'invoice' then discount_amount else 0 end as discount_amount,
        tax_amount,
        currency
    from lines
),

-- Of the periods that it overlaps, that with which it shares most days.
nearest as (
    select
        named.app_line_key,
        periods.period_start,
        periods.period_end,
        row_number() over (
            partition by named.app_line_key
            order by
                least(named.period_end, periods.period_end)
                - greatest(named.period_start, periods.period_start) desc,
                periods.period_start asc
        ) as nearness
    from named
    inner join periods
        on
            named.subscription_key = periods.subscription_key
            and named.period_start < periods.period_end
            and named.period_end > periods.period_start
),

-- The same period, quantity and amount on one invoice are its groups or tiers; on two, they are the
-- same thing twice.
counted as (
    select
        app_line_key,
        dense_rank() over (
            partition by
                subscription_key, item_type, metric_code, period_start, period_end, quantity,
                amount, currency
            order by external_invoice_id
        ) as copy_no
    from named
    where
        invoice_kind = 'invoice'
        and not is_proration
        and amount <> 0
),

final as (
    select
        named.app_line_key,
        named.service_code,
        named.subscription_key,
        named.account_key,
        named.item_type,
        named.metric_code,
        coalesce(nearest.period_start, named.period_start) as period_start,
        case
            when named.invoice_kind <> 'invoice' then 'credit'
            when named.is_proration then 'proration'
            when counted.copy_no > 1 then 'copy'
            else 'line'
        end as part,
        nearest.period_start <> named.period_start
        or nearest.period_end <> named.period_end as is_shifted,
        named.external_invoice_id,
        named.invoice_kind,
        named.period_from,
        named.period_to,
        named.period_start as app_period_start,
        named.period_end as app_period_end,
        named.quantity,
        named.amount,
        named.discount_amount,
        named.tax_amount,
        named.currency
    from named
    left join nearest
        on
            named.app_line_key = nearest.app_line_key
            and nearest.nearness = 1
    left join counted
        on named.app_line_key = counted.app_line_key
)

select * from final
