-- One row per counter of this build, with its quantity and its one verdict. Land first, judge
-- later: whatever an app sent is here, and whatever is not rated says why.

with

counters as (
    select * from {{ ref('stg_usage__counters') }}
),

batches as (
    select * from {{ ref('stg_usage__batches') }}
),

snapshot as (
    select * from {{ ref('stg_usage__snapshot') }}
),

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
),

subscriptions as (
    select * from {{ ref('int_subscriptions_linked') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

closings as (
    select * from {{ ref('int_period_closings') }}
),

in_build as (
    select
        counters.*,
        batches.xid as batch_xid
    from counters
    inner join batches
        on counters.batch_id = batches.batch_id
    inner join snapshot
        on batches.xid < snapshot.high_water_xid
),

revised as (
    select
        *,
        kind <> 'event' and revision < max(revision) over (
            partition by
                service_code, external_subscription_id, code, window_start, window_end, properties
        ) as is_superseded
    from in_build
),

measured as (
    select
        revised.*,
        metrics.aggregation,
        revised.properties ->> metrics.field_name as member,
        case
            when revised.kind <> 'event' then revised.value
            when revised.properties ->> metrics.field_name ~ '^-?\d+(\.\d+)?$'
                then (revised.properties ->> metrics.field_name)::numeric
        end as reading
    from revised
    left join metrics
        on revised.code = metrics.metric_code
),

followed as (
    select
        *,
        lag(reading) over (
            partition by
                service_code, external_subscription_id, code, properties, kind, is_superseded
            order by window_end, window_start, transaction_id
        ) as previous_reading
    from measured
),

quantified as (
    select
        *,
        case
            when aggregation = 'count' and kind = 'event' then 1
            when aggregation = 'unique' then case when member is not null then 1 end
            -- A meter starts at 0, and starts again at 0 where a reading falls.
            when kind = 'cumulative' and aggregation in ('sum', 'count')
                then
                    case
                        when reading >= previous_reading then reading - previous_reading
                        else reading
                    end
            else reading
        end as quantity
    from followed
),

placed as (
    select
        quantified.*,
        subscriptions.subscription_key,
        subscriptions.account_key,
        subscriptions.is_linked,
        subscriptions.start_date,
        subscriptions.end_date,
        charges.charge_key,
        periods.period_start,
        coalesce(quantified.batch_xid >= closings.closed_at_xid, false) as is_late
    from quantified
    left join subscriptions
        on
            quantified.service_code = subscriptions.service_code
            and quantified.external_subscription_id = subscriptions.external_subscription_id
    left join charges
        on
            subscriptions.plan_code = charges.plan_code
            and quantified.code = charges.metric_code
    left join periods
        on
            subscriptions.subscription_key = periods.subscription_key
            and quantified.local_day >= periods.period_start
            and quantified.local_day < periods.period_end
    left join closings
        on
            periods.subscription_key = closings.subscription_key
            and periods.period_start = closings.period_start
),

judged as (
    select
        *,
        case
            when is_superseded then 'superseded: higher revision'
            when external_subscription_id = '' then 'unattributed: no subscription id'
            when subscription_key is null then 'unattributed: unknown subscription'
            when not is_linked then 'unattributed: no account link'
            when period_start is null and local_day < start_date
                then 'unattributed: before the subscription'
            when period_start is null and local_day > end_date
                then 'unattributed: after the subscription'
            -- More than a year ahead of what came in last, or a plan without a known interval.
            when period_start is null then 'unattributed: no billing period'
            when aggregation is null then 'unpriced: unknown metric'
            when charge_key is null then 'unpriced: no charge in the plan'
            when quantity is null then 'unpriced: unreadable value'
            else 'rated'
        end as judgement
    from placed
),

final as (
    select
        service_code,
        external_subscription_id,
        transaction_id,
        subscription_key,
        account_key,
        code as metric_code,
        aggregation,
        charge_key,
        kind,
        window_start,
        window_end,
        local_day,
        period_start,
        revision,
        quantity,
        member,
        split_part(judgement, ':', 1) as verdict,
        judgement as verdict_reason,
        is_late,
        received_at
    from judged
)

select * from final
