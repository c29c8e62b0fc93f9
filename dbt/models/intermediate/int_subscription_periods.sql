-- Half-open local days. Every step is counted from the anchor, never from the period before, so
-- that a month-end start clamps and comes back: 31 Jan, 28 Feb, 31 Mar.

with

segments as (
    select * from {{ ref('int_subscription_segments') }}
),

landed as (
    select * from {{ ref('int_usage_landed') }}
),

snapshot as (
    select * from {{ ref('stg_usage__snapshot') }}
),

-- One counter dated 9999 must not give every subscription 95,000 periods: a year beyond what was
-- received last is as far as periods reach.
horizon as (
    select
        coalesce(
            least(
                max(landed.last_day), {{ local_day('max(snapshot.received_until)') }} + 366
            ),
            '1970-01-01'
        ) as last_day
    from landed
    cross join snapshot
),

-- Written down, as the steps after it: else dates are reckoned once for each time they are named.
anchored as materialized (
    select
        segments.*,
        horizon.last_day,
        case
            when segments.billing_time = 'anniversary' then segments.start_date
            -- Halves, thirds and quarters of a year, and whole years, begin in January.
            when
                segments.billing_period_unit = 'month'
                and (
                    12 % segments.billing_period_value = 0
                    or segments.billing_period_value % 12 = 0
                )
                then date_trunc('year', segments.start_date)::date
            else date_trunc(segments.billing_period_unit, segments.start_date)::date
        end as anchor,
        case segments.billing_period_unit
            when 'week' then make_interval(weeks => segments.billing_period_value)
            when 'month' then make_interval(months => segments.billing_period_value)
            when 'year' then make_interval(years => segments.billing_period_value)
        end as step,
        case segments.billing_period_unit
            when 'week' then 7
            when 'month' then 28
            when 'year' then 365
        end * segments.billing_period_value as shortest_days
    from segments
    cross join horizon
    where
        segments.segment_start <= horizon.last_day
        and segments.billing_period_value > 0
),

stepped as materialized (
    select
        anchored.*,
        (anchored.anchor + steps.step_number * anchored.step)::date as nominal_start,
        (anchored.anchor + (steps.step_number + 1) * anchored.step)::date as nominal_end
    from anchored
    cross join
        lateral generate_series(
            0, (least(anchored.last_day, anchored.segment_end) - anchored.anchor)
            / anchored.shortest_days
        ) as steps (step_number)
),

cut as (
    select
        *,
        greatest(nominal_start, segment_start) as period_start,
        -- The segment's end is its last day.
        least(nominal_end, segment_end + 1) as period_end
    from stepped
    where
        nominal_start <= last_day
        and nominal_end > segment_start
),

final as (
    select
        subscription_key,
        service_code,
        segment_no,
        odoo_order_id,
        plan_code,
        account_key,
        is_linked,
        period_start,
        period_end,
        nominal_start,
        nominal_end,
        trial_end,
        period_end - period_start as days,
        nominal_end - nominal_start as nominal_days
    from cut
    where period_end > period_start
)

select * from final
