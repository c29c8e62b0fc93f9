-- The day groups that each roll-up makes again in this build, whole: those of new counters, those
-- of a meter's next reading (its difference changes with the one before it), and those of a metric
-- that is defined otherwise than before. Empty where everything is made anew.

with

steps as (
    select * from {{ ref('int_rollup_steps') }}
),

metrics as (
    select * from {{ ref('int_metrics_defined') }}
),

batches as not materialized (
    select * from {{ ref('stg_usage__batches') }}
),

counters as not materialized (
    select * from {{ ref('stg_usage__counters') }}
),

new_batches as (
    select
        steps.rollup,
        batches.batch_id
    from steps
    inner join batches
        on
            steps.previous_xid <= batches.xid
            and steps.high_water_xid > batches.xid
    where steps.previous_xid > 0
),

-- The bounds let the block range index find the new counters; the batches say which they are.
new_counters as (
    select
        new_batches.rollup,
        counters.service_code,
        counters.external_subscription_id,
        counters.code,
        counters.local_day,
        counters.kind,
        counters.revision,
        counters.window_start,
        counters.window_end,
        counters.properties
    from counters
    inner join new_batches
        on counters.batch_id = new_batches.batch_id
    left join metrics
        on counters.code = metrics.metric_code
    where
        counters.batch_id >= (select min(bounds.batch_id) from new_batches as bounds)
        and counters.batch_id <= (select max(bounds.batch_id) from new_batches as bounds)
        and (new_batches.rollup = 'int_usage_daily' or metrics.needs_events)
),

pending as (
    select batches.batch_id from batches
    where batches.xid >= (select max(steps.high_water_xid) from steps)
),

-- A revision of any kind may take a reading's place, and with it the start of the next difference.
next_readings as (
    select
        new_counters.rollup,
        new_counters.service_code,
        new_counters.external_subscription_id,
        new_counters.code,
        (
            select readings.local_day
            from counters as readings
            where
                readings.kind = 'cumulative'
                and readings.service_code = new_counters.service_code
                and readings.external_subscription_id = new_counters.external_subscription_id
                and readings.code = new_counters.code
                and readings.properties = new_counters.properties
                and (readings.window_end, readings.window_start)
                > (new_counters.window_end, new_counters.window_start)
                and {{ is_counted('readings') }}
            order by readings.window_end, readings.window_start
            limit 1
        ) as local_day
    from new_counters
    where new_counters.kind = 'cumulative' or new_counters.revision > 0
),

definitions as (
    select
        steps.rollup,
        steps.high_water_xid,
        definition.key as metric_code,
        definition.value as definition
    from steps
    cross join lateral jsonb_each_text(steps.definitions) as definition
    where steps.previous_xid > 0
),

previous_definitions as (
    select
        steps.rollup,
        steps.high_water_xid,
        definition.key as metric_code,
        definition.value as definition
    from steps
    cross join lateral jsonb_each_text(steps.previous_definitions) as definition
    where steps.previous_xid > 0
),

redefined as (
    select
        coalesce(definitions.rollup, previous_definitions.rollup) as rollup,
        coalesce(definitions.high_water_xid, previous_definitions.high_water_xid)
            as high_water_xid,
        coalesce(definitions.metric_code, previous_definitions.metric_code) as metric_code
    from definitions
    full join previous_definitions
        on
            definitions.rollup = previous_definitions.rollup
            and definitions.metric_code = previous_definitions.metric_code
    where definitions.definition is distinct from previous_definitions.definition
),

redefined_days as (
    select
        redefined.rollup,
        counters.service_code,
        counters.external_subscription_id,
        counters.code,
        counters.local_day
    from redefined
    inner join counters
        on redefined.metric_code = counters.code
    inner join batches
        on
            counters.batch_id = batches.batch_id
            and redefined.high_water_xid > batches.xid
),

touched as (
    select
        rollup,
        service_code,
        external_subscription_id,
        code,
        local_day
    from new_counters

    union

    select * from next_readings
    where local_day is not null

    union

    select * from redefined_days
),

final as (
    select
        rollup,
        service_code,
        external_subscription_id,
        code as metric_code,
        local_day
    from touched
)

select * from final
