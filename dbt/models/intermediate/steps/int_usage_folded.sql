-- What a period counts, by charge and group, its days folded in one pass: whatever prices it needs
-- one of these.

with

placed as (
    {{ of_the_touched(ref('int_usage_placed'), 'rated_from') }}
),

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
),

counted as (
    select
        placed.*,
        charge_periods.period_end - placed.local_day as days_left
    from placed
    inner join charge_periods
        on
            placed.subscription_key = charge_periods.subscription_key
            and placed.period_start = charge_periods.period_start
            and placed.odoo_charge_id = charge_periods.odoo_charge_id
    where {{ counts_in_its_period('placed', 'charge_periods') }}
),

folded as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        sum(quantity_sum) as quantity,
        sum(quantity_sum * days_left) as quantity_days,
        max(quantity_max) as quantity_max,
        -- The greatest last_order carries its quantity with it.
        max(array[last_order, quantity_last::text] collate "C")
        filter (where last_order is not null) as latest,
        sum(events) as events,
        sum(cents_sum) as cents,
        coalesce(sum(counters) filter (where verdict = 'rated'), 0) as counters,
        coalesce(sum(counters) filter (where verdict = 'rated' and is_late), 0) as late_counters
    from counted
    group by 1, 2, 3, 4
),

final as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        quantity,
        quantity_days,
        quantity_max,
        latest[2]::numeric as quantity_last,
        events,
        cents,
        counters,
        late_counters
    from folded
)

select * from final
