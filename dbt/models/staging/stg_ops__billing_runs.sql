with

source as (
    select * from {{ source('ops', 'billing_run') }}
),

final as (
    select
        run_id,
        run_date,
        service_code,
        high_water_xid::text::bigint as high_water_xid,
        code_version,
        lines,
        adjustments,
        amount,
        run_at,
        -- A run bills what ended, grace included, before its date began.
        {{ day_start('run_date') }} - make_interval(hours => {{ usage_grace_hours() }}) as ended_by
    from source
)

select * from final
