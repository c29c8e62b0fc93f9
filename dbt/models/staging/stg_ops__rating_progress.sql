with

source as (
    select * from {{ source('ops', 'rating_progress') }}
),

final as (
    select
        rated_xid::text::bigint as rated_xid,
        rules,
        rated_at
    from source
)

select * from final
