{{ config(materialized='table') }}

-- Batch ids and clocks are handed out before commit, so rows become visible out of order. Every
-- transaction below the oldest one still running has ended: what a build takes is what lies below
-- this line, and it stays the same however long the build runs.
select
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint as high_water_xid,
    '{{ invocation_id }}'::text as build_id
