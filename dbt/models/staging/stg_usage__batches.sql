-- Without import CTEs, as stg_usage__counters: PostgreSQL sees through to its statistics.
select
    batch_id,
    -- 64 bits, of which two centuries of busy servers use 63: bigint has min, max, statistics.
    xid::text::bigint as xid,
    service_code,
    counters,
    duplicates,
    received_at
from {{ source('raw', 'ingest_batch') }}
