-- Shared costs over the accounts that used their driver metric that day, by their part of that use:
-- within the cost's service, or over all services where the cost names none. Usage that is negative
-- on balance takes no part.

with

costs as (
    select * from {{ ref('int_costs_converted') }}
),

usage as (
    select * from {{ ref('fct_usage_daily') }}
),

segments as (
    select * from {{ ref('int_subscription_segments') }}
),

shared as (
    select *
    from costs
    where
        account_key is null
        and metric_code is not null
),

driving as (
    select distinct metric_code
    from shared
),

used as (
    select
        usage.local_day,
        usage.metric_code,
        usage.service_code,
        usage.account_key,
        segments.plan_code,
        sum(usage.quantity) as quantity
    from usage
    inner join driving
        on usage.metric_code = driving.metric_code
    left join segments
        on
            usage.subscription_key = segments.subscription_key
            and usage.local_day >= segments.segment_start
            and usage.local_day <= coalesce(segments.segment_end, 'infinity')
    group by 1, 2, 3, 4, 5
    having sum(usage.quantity) > 0
),

shares as (
    select
        shared.cost_key,
        used.service_code,
        used.account_key,
        used.plan_code,
        used.quantity as driver_quantity,
        sum(used.quantity) over (partition by shared.cost_key) as driver_total,
        shared.quantity,
        {{ unit_digits('shared.quantity') }} as quantity_digits,
        shared.amount,
        {{ unit_digits('shared.amount') }} as amount_digits,
        shared.amount_company
    from shared
    inner join used
        on
            shared.metric_code = used.metric_code
            and shared.day = used.local_day
            and (shared.service_code is null or shared.service_code = used.service_code)
),

cut as (
    select
        *,
        {{ whole_units('quantity', 'quantity_digits', 'driver_quantity', 'driver_total') }}
            as quantity_units,
        {{ fraction_left('quantity', 'quantity_digits', 'driver_quantity', 'driver_total') }}
            as quantity_fraction,
        {{ whole_units('amount', 'amount_digits', 'driver_quantity', 'driver_total') }}
            as amount_units,
        {{ fraction_left('amount', 'amount_digits', 'driver_quantity', 'driver_total') }}
            as amount_fraction,
        {{ whole_units('amount_company', '6', 'driver_quantity', 'driver_total') }}
            as company_units,
        {{ fraction_left('amount_company', '6', 'driver_quantity', 'driver_total') }}
            as company_fraction
    from shares
),

ranked as (
    select
        *,
        {{ units_of('quantity', 'quantity_digits') }} - sum(quantity_units) over of_cost
            as quantity_left,
        row_number() over (
            partition by cost_key
            order by quantity_fraction desc, account_key collate "C" asc, plan_code collate "C" asc
        ) as quantity_rank,
        {{ units_of('amount', 'amount_digits') }} - sum(amount_units) over of_cost as amount_left,
        row_number() over (
            partition by cost_key
            order by amount_fraction desc, account_key collate "C" asc, plan_code collate "C" asc
        ) as amount_rank,
        {{ units_of('amount_company', '6') }} - sum(company_units) over of_cost as company_left,
        row_number() over (
            partition by cost_key
            order by company_fraction desc, account_key collate "C" asc, plan_code collate "C" asc
        ) as company_rank
    from cut
    window of_cost as (partition by cost_key)
),

final as (
    select
        cost_key,
        service_code,
        account_key,
        plan_code,
        driver_quantity,
        {{ share_of(
            'quantity', 'quantity_digits', 'quantity_units', 'quantity_rank', 'quantity_left'
        ) }} as quantity,
        {{ share_of('amount', 'amount_digits', 'amount_units', 'amount_rank', 'amount_left') }}
            as amount,
        {{ share_of('amount_company', '6', 'company_units', 'company_rank', 'company_left') }}
            as amount_company
    from ranked
)

select * from final
