-- Batch ids and clocks are handed out before commit, so rows become visible out of order. Every
-- transaction below the oldest one still running has ended: what a build takes is what lies below
-- this line, and it stays the same however long the build runs.

with

batches as (
    select * from {{ ref('stg_usage__batches') }}
),

snapshot as (
    select pg_snapshot_xmin(pg_current_snapshot())::text::bigint as high_water_xid
),

taken as (
    select max(batches.received_at) as received_until
    from batches
    inner join snapshot
        on batches.xid < snapshot.high_water_xid
),

final as (
    select
        snapshot.high_water_xid,
        '{{ invocation_id }}'::text as build_id,
        taken.received_until
    from snapshot
    cross join taken
)

select * from final
