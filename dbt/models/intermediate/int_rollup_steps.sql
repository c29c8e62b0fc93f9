-- What each roll-up has taken so far and takes in this build: the batches of
-- previous_xid <= xid < high_water_xid. A previous_xid of 0 takes everything anew.

with

snapshot as (
    select * from {{ ref('stg_usage__snapshot') }}
),

progress as (
    select * from {{ ref('stg_ops__rollup_progress') }}
),

batches as (
    select * from {{ ref('stg_usage__batches') }}
),

runs as (
    select * from {{ ref('stg_ops__billing_runs') }}
),

metrics as (
    select * from {{ ref('int_metrics_defined') }}
),

-- Raise `rules` when the SQL of a roll-up gives another answer than before, or other columns: rows
-- that are already rolled up are then made again.
rollups as (
    select
        rollup,
        rules
    from (values ('int_usage_daily', 2), ('int_usage_events', 1)) as listed (rollup, rules)
),

definitions as (
    select
        rollups.rollup,
        coalesce(
            jsonb_object_agg(metrics.metric_code, metrics.definition)
            filter (where metrics.metric_code is not null),
            '{}'
        ) as definitions
    from rollups
    left join metrics
        on rollups.rollup = 'int_usage_daily' or metrics.needs_events
    group by 1
),

-- A run bills from the newest build, so it never records a line below what is rolled up. But it
-- may record it while the next build already rolls up: that run's late counters are told again.
unseen_runs as (
    select
        progress.rollup,
        min(runs.high_water_xid) as high_water_xid
    from progress
    inner join runs
        on progress.last_run_id < runs.run_id
    group by 1
),

last_run as (
    select coalesce(max(run_id), 0) as run_id from runs
),

-- Batches that the roll-up should have taken: another number than it took, or a line that fell, is
-- another server's history (transaction ids start again after a restore).
batches_below as (
    select
        progress.rollup,
        count(*) as batches,
        sum(batches.counters) as counters
    from progress
    inner join batches
        on progress.high_water_xid > batches.xid
    group by 1
),

taken as (
    select
        count(*) as batches,
        sum(batches.counters) as counters
    from batches
    inner join snapshot
        on batches.xid < snapshot.high_water_xid
),

final as (
    select
        rollups.rollup,
        rollups.rules,
        snapshot.build_id,
        snapshot.high_water_xid,
        taken.batches,
        last_run.run_id as last_run_id,
        definitions.definitions,
        coalesce(progress.definitions, '{}') as previous_definitions,
        case
            when
                progress.rules = rollups.rules
                and progress.high_water_xid <= snapshot.high_water_xid
                and progress.batches = batches_below.batches
                -- More than a quarter is new: to look for what it touches would cost more.
                and taken.counters - batches_below.counters <= taken.counters / 4
                then
                    least(
                        progress.high_water_xid,
                        coalesce(unseen_runs.high_water_xid, progress.high_water_xid)
                    )
            else 0
        end as previous_xid
    from rollups
    cross join snapshot
    cross join taken
    cross join last_run
    inner join definitions
        on rollups.rollup = definitions.rollup
    left join progress
        on rollups.rollup = progress.rollup
    left join batches_below
        on rollups.rollup = batches_below.rollup
    left join unseen_runs
        on rollups.rollup = unseen_runs.rollup
)

select * from final
