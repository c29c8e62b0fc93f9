-- One row per subscription, as it is: on its segment in progress, else on its last. Of several in
-- progress, on the last that had begun when usage was received last: a change of plan may be agreed
-- ahead of its day.

with

segments as (
    select * from {{ ref('int_subscription_segments') }}
),

snapshot as (
    select * from {{ ref('stg_usage__snapshot') }}
),

received as (
    select {{ local_day('received_until') }} as last_day from snapshot
),

preferred as (
    select
        segments.*,
        row_number() over (
            partition by segments.subscription_key
            order by
                segments.is_in_progress desc,
                coalesce(segments.segment_start <= received.last_day, false) desc,
                segments.segment_no desc
        ) as preference
    from segments
    cross join received
),

final as (
    select
        subscription_key,
        account_key,
        service_code,
        external_subscription_id,
        external_account_id,
        odoo_order_id,
        order_name,
        odoo_partner_id,
        partner_name,
        plan_code,
        billing_time,
        billing_period_unit,
        billing_period_value,
        subscription_state,
        start_date,
        segment_end as end_date,
        segment_start,
        segment_no,
        trial_end,
        is_linked
    from preferred
    where preference = 1
)

select * from final
