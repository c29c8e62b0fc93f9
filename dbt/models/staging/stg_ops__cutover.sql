with

source as (
    select * from {{ source('ops', 'cutover') }}
),

final as (
    select
        change_id,
        service_code,
        phase,
        effective_from,
        changed_by,
        changed_at
    from source
)

select * from final
