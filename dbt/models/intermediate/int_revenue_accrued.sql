-- Usage revenue by the month in which the usage happened. Within a period that touches several
-- months a line follows its usage; without usage (a true-up, a flat fee) it goes by days. The cents
-- go by the largest fraction, so that the months of a line are the line.

with

lines as (
    select * from {{ ref('fct_rated_lines') }}
    where amount <> 0
),

usage_months as (
    select * from {{ ref('int_usage_monthly') }}
),

rates as (
    select * from {{ ref('int_currency_rates_daily') }}
),

within_a_month as (
    select
        {{ month_of('period_start') }} as month,
        service_code,
        account_key,
        plan_code,
        metric_code,
        currency,
        amount
    from lines
    where {{ month_of('period_start') }} = {{ month_of('period_end - 1') }}
),

over_months as (
    select
        lines.line_key,
        lines.service_code,
        lines.account_key,
        lines.plan_code,
        lines.metric_code,
        lines.currency,
        lines.amount,
        months.month,
        months.days,
        coalesce(usage_months.quantity, 0) as quantity,
        {{ currency_digits('lines.currency') }} as digits
    from lines
    cross join lateral {{ months_of('lines.period_start', 'lines.period_end') }} as months
    left join usage_months
        on
            lines.subscription_key = usage_months.subscription_key
            and lines.charge_key = usage_months.charge_key
            and lines.group_key = usage_months.group_key
            and lines.period_start = usage_months.period_start
            and months.month = usage_months.month
    where {{ month_of('lines.period_start') }} < {{ month_of('lines.period_end - 1') }}
),

weighed as (
    select
        *,
        case when sum(quantity) over (partition by line_key) > 0 then quantity else days end
            as weight
    from over_months
),

totalled as (
    select
        *,
        sum(weight) over (partition by line_key) as weights
    from weighed
),

cut as (
    select
        *,
        {{ whole_units('amount', 'digits', 'weight', 'weights') }} as units,
        {{ fraction_left('amount', 'digits', 'weight', 'weights') }} as fraction
    from totalled
),

ranked as (
    select
        *,
        {{ units_of('amount', 'digits') }} - sum(units) over (partition by line_key) as units_left,
        row_number() over (partition by line_key order by fraction desc, month asc) as unit_rank
    from cut
),

parts as (
    select * from within_a_month

    union all

    select
        month,
        service_code,
        account_key,
        plan_code,
        metric_code,
        currency,
        {{ share_of('amount', 'digits', 'units', 'unit_rank', 'units_left') }} as amount
    from ranked
),

summed as (
    select
        month,
        service_code,
        account_key,
        plan_code,
        metric_code,
        currency,
        sum(amount) as amount
    from parts
    group by 1, 2, 3, 4, 5, 6
    having sum(amount) <> 0
),

final as (
    select
        summed.month,
        summed.service_code,
        summed.account_key,
        summed.plan_code,
        summed.metric_code,
        summed.currency,
        summed.amount,
        {{ round_money(
            in_company_currency('summed.amount', 'summed.currency', 'rates.rate'),
            company_currency()
        ) }} as amount_company
    from summed
    -- Odoo's rate of the month's last day.
    left join rates
        on
            summed.currency = rates.currency
            and (summed.month + interval '1 month')::date - 1 >= rates.valid_from
            and (
                rates.valid_to is null
                or (summed.month + interval '1 month')::date - 1 < rates.valid_to
            )
)

select * from final
