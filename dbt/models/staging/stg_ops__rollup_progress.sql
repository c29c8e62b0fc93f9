with

source as (
    select * from {{ source('ops', 'rollup_progress') }}
),

final as (
    select
        rollup,
        rules,
        high_water_xid::text::bigint as high_water_xid,
        batches,
        last_run_id,
        definitions,
        rolled_up_at
    from source
)

select * from final
