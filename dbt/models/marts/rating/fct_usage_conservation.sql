-- Two roads to the same total. One reads raw as it landed; the other walks back from what was
-- rated and what was set aside. Quantities that do not add up over counters (maximum, last, unique,
-- a level over time, and whatever is carried from period to period) are conserved as numbers of
-- counters.

with

landed as (
    select * from {{ ref('int_usage_landed') }}
),

-- Read twice down an index of few counters: all of raw would be written down first.
raw_counters as not materialized (
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

placed as (
    select * from {{ ref('int_usage_placed') }}
),

rated_lines as (
    select * from {{ ref('fct_rated_lines') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
),

adding_metrics as (
    select distinct metric_code
    from metrics
    where
        aggregation in ('sum', 'count')
        and not recurring
),

-- A meter's differences exist only after its readings were put in order.
raw_readings as (
    select
        *,
        transaction_id collate "C" as bytewise_id
    from raw_counters
    where kind = 'cumulative'
),

readings as (
    select raw_readings.*
    from raw_readings
    inner join batches
        on raw_readings.batch_id = batches.batch_id
    inner join snapshot
        on batches.xid < snapshot.high_water_xid
    inner join adding_metrics
        on raw_readings.code = adding_metrics.metric_code
),

revisions as (
    select
        raw_counters.service_code,
        raw_counters.external_subscription_id,
        raw_counters.code,
        raw_counters.window_start,
        raw_counters.window_end,
        raw_counters.properties,
        max(raw_counters.revision) as revision
    from raw_counters
    inner join batches
        on raw_counters.batch_id = batches.batch_id
    inner join snapshot
        on batches.xid < snapshot.high_water_xid
    where raw_counters.revision > 0
    group by 1, 2, 3, 4, 5, 6
),

followed as (
    select
        readings.service_code,
        readings.code as metric_code,
        date_trunc('month', readings.local_day)::date as month,
        readings.value,
        lag(readings.value, 1, 0::numeric) over (
            partition by
                readings.service_code, readings.external_subscription_id, readings.code,
                readings.properties
            order by readings.window_end, readings.window_start, readings.bytewise_id
        ) as previous_value
    from readings
    left join revisions
        on
            readings.service_code = revisions.service_code
            and readings.external_subscription_id = revisions.external_subscription_id
            and readings.code = revisions.code
            and readings.window_start = revisions.window_start
            and readings.window_end = revisions.window_end
            and readings.properties = revisions.properties
    where readings.revision >= coalesce(revisions.revision, readings.revision)
),

metered as (
    select
        service_code,
        metric_code,
        month,
        sum(value - case when value >= previous_value then previous_value else 0 end) as quantity
    from followed
    group by 1, 2, 3
),

landed_totals as (
    select
        service_code,
        metric_code,
        month,
        sum(counters) as counters,
        sum(quantity) as quantity
    from landed
    group by 1, 2, 3
),

raw_totals as (
    select
        landed_totals.service_code,
        landed_totals.metric_code,
        landed_totals.month,
        landed_totals.counters as raw_counters,
        case
            when adding_metrics.metric_code is not null
                then landed_totals.quantity + coalesce(metered.quantity, 0)
            else landed_totals.counters
        end as raw_quantity
    from landed_totals
    left join adding_metrics
        on landed_totals.metric_code = adding_metrics.metric_code
    left join metered
        on
            landed_totals.service_code = metered.service_code
            and landed_totals.metric_code = metered.metric_code
            and landed_totals.month = metered.month
),

-- Not written down: two readings of it cost less.
judged as not materialized (
    select
        placed.*,
        adding_metrics.metric_code is not null as is_adding
    from placed
    left join adding_metrics
        on placed.metric_code = adding_metrics.metric_code
),

set_aside as (
    select
        service_code,
        metric_code,
        date_trunc('month', local_day)::date as month,
        verdict as bucket,
        sum(counters) as counters,
        sum(case when is_adding then quantity_sum else counters end) as quantity
    from judged
    where verdict <> 'rated'
    group by 1, 2, 3, 4
),

-- What a period was billed, numbered: days are told apart by one number and not by four texts.
rated as (
    select
        subscription_key,
        charge_key,
        group_key,
        period_start,
        row_number() over () as fee_number,
        sum(quantity_included) as quantity_included,
        sum(quantity_billed) as quantity_billed,
        sum(amount_precise) as amount_precise
    from rated_lines
    group by 1, 2, 3, 4
),

daily as (
    select
        rated.fee_number,
        judged.odoo_charge_id,
        judged.service_code,
        judged.metric_code,
        judged.local_day,
        judged.is_adding,
        coalesce(sum(judged.counters) filter (where not judged.is_late), 0) as counters_in_time,
        coalesce(sum(judged.quantity_sum) filter (where not judged.is_late), 0)
            as quantity_in_time,
        coalesce(sum(judged.counters) filter (where judged.is_late), 0) as late_counters,
        coalesce(sum(judged.quantity_sum) filter (where judged.is_late), 0) as late_quantity
    from judged
    inner join rated
        on
            judged.subscription_key = rated.subscription_key
            and judged.charge_key = rated.charge_key
            and judged.group_key = rated.group_key
            and judged.period_start = rated.period_start
    where judged.verdict = 'rated'
    group by 1, 2, 3, 4, 5, 6
),

daily_rated as (
    select
        daily.*,
        rated.quantity_billed,
        rated.amount_precise,
        -- The whole quota, not what was taken of it: a correction may take less. What a percentage
        -- leaves free is known from its line alone.
        greatest(
            charges.quantity_included
            + case when charges.charge_model = 'package' then charges.free_units else 0 end,
            rated.quantity_included
        ) as quota,
        sum(daily.quantity_in_time) over (
            partition by daily.fee_number
            order by daily.local_day
        ) as quantity_so_far
    from daily
    inner join rated
        on daily.fee_number = rated.fee_number
    inner join charges
        on daily.odoo_charge_id = charges.odoo_charge_id
),

-- The quota is used up first: what a day brings beyond it is billed, or free where all of it costs
-- nothing.
daily_split as (
    select
        *,
        case when amount_precise = 0 then 'free' else 'billed' end as bucket_beyond,
        case
            when is_adding
                then
                    greatest(quantity_so_far - quota, 0)
                    - greatest(quantity_so_far - quantity_in_time - quota, 0)
            when quantity_billed > 0 then counters_in_time
            else 0
        end as beyond_quota
    from daily_rated
),

-- Summed once for all buckets, and by days first: a month is cut from each of few.
split_sums as (
    select
        service_code,
        metric_code,
        local_day,
        bucket_beyond,
        sum(case when beyond_quota <> 0 then counters_in_time else 0 end) as counters_beyond,
        sum(beyond_quota) as quantity_beyond,
        sum(case when beyond_quota <> 0 then 0 else counters_in_time end) as counters_included,
        sum(
            case when is_adding then quantity_in_time else counters_in_time end - beyond_quota
        ) as quantity_included,
        sum(late_counters) as late_counters,
        sum(case when is_adding then late_quantity else late_counters end) as late_quantity
    from daily_split
    group by 1, 2, 3, 4
),

buckets as (
    select
        split_sums.service_code,
        split_sums.metric_code,
        date_trunc('month', split_sums.local_day)::date as month,
        split.bucket,
        split.counters,
        split.quantity
    from split_sums
    cross join
        lateral (
            values
            (split_sums.bucket_beyond, split_sums.counters_beyond, split_sums.quantity_beyond),
            ('included', split_sums.counters_included, split_sums.quantity_included),
            ('late', split_sums.late_counters, split_sums.late_quantity)
        )
            as split (bucket, counters, quantity)

    union all

    select
        service_code,
        metric_code,
        month,
        bucket,
        counters,
        quantity
    from set_aside
),

bucketed as (
    select
        service_code,
        metric_code,
        month,
        bucket,
        sum(counters) as counters,
        sum(quantity) as quantity
    from buckets
    group by 1, 2, 3, 4
    having sum(counters) <> 0 or sum(quantity) <> 0
),

compared as (
    select
        coalesce(raw_totals.service_code, bucketed.service_code) as service_code,
        coalesce(raw_totals.metric_code, bucketed.metric_code) as metric_code,
        coalesce(raw_totals.month, bucketed.month) as month,
        coalesce(bucketed.bucket, 'lost') as bucket,
        coalesce(bucketed.counters, 0) as counters,
        coalesce(bucketed.quantity, 0) as quantity,
        coalesce(raw_totals.raw_counters, 0) as raw_counters,
        coalesce(raw_totals.raw_quantity, 0) as raw_quantity
    from raw_totals
    full join bucketed
        on
            raw_totals.service_code = bucketed.service_code
            and raw_totals.metric_code = bucketed.metric_code
            and raw_totals.month = bucketed.month
),

final as (
    select
        service_code,
        metric_code,
        month,
        bucket,
        counters::bigint as counters,
        quantity,
        raw_counters::bigint as raw_counters,
        raw_quantity,
        (raw_counters - sum(counters) over (partition by service_code, metric_code, month))::bigint
            as counters_difference,
        raw_quantity - sum(quantity) over (partition by service_code, metric_code, month)
            as quantity_difference
    from compared
)

select * from final
