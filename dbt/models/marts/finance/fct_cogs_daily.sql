-- Every cost in full: with the account it names, with the accounts it was shared out to, or alone
-- where nobody can be told to have caused it.

with

costs as (
    select * from {{ ref('int_costs_converted') }}
),

allocated as (
    select * from {{ ref('int_costs_allocated') }}
),

segments as (
    select * from {{ ref('int_subscription_segments') }}
),

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

-- The plan of an account that is on one plan alone that day; on several, nobody knows which.
plans as (
    select
        costs.cost_key,
        case when count(distinct segments.plan_code) = 1 then min(segments.plan_code) end
            as plan_code
    from costs
    inner join segments
        on
            costs.account_key = segments.account_key
            and costs.day >= segments.segment_start
            and costs.day <= coalesce(segments.segment_end, 'infinity')
    group by 1
),

taken as (
    select distinct cost_key
    from allocated
),

parts as (
    select
        costs.cost_key,
        costs.service_code,
        costs.account_key,
        plans.plan_code,
        'direct' as allocation,
        null as allocation_reason,
        null::numeric as driver_quantity,
        costs.quantity,
        costs.amount,
        costs.amount_company
    from costs
    left join plans
        on costs.cost_key = plans.cost_key
    where costs.account_key is not null

    union all

    select
        cost_key,
        service_code,
        account_key,
        plan_code,
        'shared' as allocation,
        null as allocation_reason,
        driver_quantity,
        quantity,
        amount,
        amount_company
    from allocated

    union all

    select
        costs.cost_key,
        costs.service_code,
        costs.account_key,
        null as plan_code,
        'unallocated' as allocation,
        case
            when costs.metric_code is null then 'no_driver'
            when metrics.metric_code is null then 'unknown_metric'
            else 'no_usage'
        end as allocation_reason,
        null as driver_quantity,
        costs.quantity,
        costs.amount,
        costs.amount_company
    from costs
    left join taken
        on costs.cost_key = taken.cost_key
    left join metrics
        on costs.metric_code = metrics.metric_code
    where
        costs.account_key is null
        and taken.cost_key is null
),

final as (
    select
        parts.cost_key
        || ':' || coalesce(parts.account_key, '')
        || ':' || coalesce(parts.plan_code, '') as cogs_key,
        parts.cost_key,
        costs.day,
        costs.service_code as cost_service_code,
        parts.service_code,
        parts.account_key,
        parts.plan_code,
        costs.metric_code,
        costs.provider,
        costs.sku,
        parts.allocation,
        parts.allocation_reason,
        parts.driver_quantity,
        parts.quantity,
        parts.amount,
        costs.currency,
        costs.rate,
        costs.rate_date,
        costs.is_rate_stale,
        parts.amount_company
    from parts
    inner join costs
        on parts.cost_key = costs.cost_key
)

select * from final
