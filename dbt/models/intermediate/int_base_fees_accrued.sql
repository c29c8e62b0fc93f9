-- What was invoiced beside usage, spread over the days of the service it pays for. The cents go by
-- the largest fraction, so that the months of an invoice line are the line.

with

fees as (
    select * from {{ ref('int_revenue_invoiced') }}
    where kind = 'base'
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

dated as (
    select
        fees.*,
        periods.period_start,
        periods.period_end,
        coalesce(fees.deferred_start, fees.invoice_date) as first_day,
        coalesce(fees.deferred_end >= coalesce(fees.deferred_start, fees.invoice_date), false)
            as has_dates
    from fees
    -- A plan is billed in advance: its invoice lies in the period it pays for.
    left join periods
        on
            fees.subscription_key = periods.subscription_key
            and fees.about_date >= periods.period_start
            and fees.about_date < periods.period_end
),

serving as (
    select
        *,
        case
            when has_dates then 'odoo'
            when period_start is not null then 'billing_period'
            else 'invoice_month'
        end as service_period_source,
        case
            when has_dates then first_day
            else coalesce(period_start, {{ month_of('about_date') }})
        end as service_start,
        case
            -- Odoo's is the last day of service.
            when has_dates then deferred_end + 1
            else
                coalesce(
                    period_end, ({{ month_of('about_date') }} + interval '1 month')::date
                )
        end as service_end
    from dated
),

spread as (
    select
        serving.invoiced_key,
        serving.service_code,
        serving.account_key,
        serving.plan_code,
        serving.service_period_source,
        serving.service_start,
        serving.service_end,
        months.month,
        months.days,
        serving.service_end - serving.service_start as service_days,
        serving.amount_company as amount,
        {{ currency_digits(company_currency()) }} as digits
    from serving
    cross join lateral {{ months_of('serving.service_start', 'serving.service_end') }} as months
),

cut as (
    select
        *,
        {{ whole_units('amount', 'digits', 'days', 'service_days') }} as units,
        {{ fraction_left('amount', 'digits', 'days', 'service_days') }} as fraction
    from spread
),

ranked as (
    select
        *,
        {{ units_of('amount', 'digits') }} - sum(units) over (partition by invoiced_key)
            as units_left,
        row_number() over (partition by invoiced_key order by fraction desc, month asc)
            as unit_rank
    from cut
),

final as (
    select
        invoiced_key,
        month,
        service_code,
        account_key,
        plan_code,
        service_period_source,
        service_start,
        service_end,
        days,
        {{ share_of('amount', 'digits', 'units', 'unit_rank', 'units_left') }} as amount_company
    from ranked
)

select * from final
