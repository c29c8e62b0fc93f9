with

source as (
    select * from {{ source('raw', 'usage_counter') }}
),

final as (
    select
        service_code,
        external_subscription_id,
        transaction_id,
        batch_id,
        code,
        kind,
        window_start,
        window_end,
        {{ local_day('window_start') }} as local_day,
        value,
        revision,
        properties,
        precise_total_amount_cents,
        received_at
    from source
)

select * from final
