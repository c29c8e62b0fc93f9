-- The days that a period counts, by charge and group: what is rated; of a recurring metric all of
-- the period, for a change of state on a paused day is a change all the same.

with

placed as (
    {{ of_the_touched(ref('int_usage_placed'), 'rated_from') }}
),

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
),

final as (
    select
        placed.subscription_key,
        placed.period_start,
        charge_periods.period_end,
        placed.odoo_charge_id,
        placed.group_key,
        placed.service_code,
        placed.external_subscription_id,
        placed.metric_code,
        placed.local_day,
        placed.dimensions,
        placed.verdict,
        placed.is_late,
        charge_periods.aggregation,
        placed.counters,
        placed.quantity_sum,
        placed.quantity_max,
        placed.quantity_last,
        placed.last_window_end,
        placed.last_order,
        placed.events,
        placed.cents_sum
    from placed
    inner join charge_periods
        on
            placed.subscription_key = charge_periods.subscription_key
            and placed.period_start = charge_periods.period_start
            and placed.odoo_charge_id = charge_periods.odoo_charge_id
    where
        placed.fate = 'counted'
        and (
            placed.verdict = 'rated'
            or (
                charge_periods.is_carried
                and placed.verdict_reason = 'unattributed: subscription paused'
            )
        )
)

select * from final
