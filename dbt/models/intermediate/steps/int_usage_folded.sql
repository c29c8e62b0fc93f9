-- What a period counts, by charge and group, its days folded in one pass: whatever prices it needs
-- one of these.

with

placed as (
    {{ of_the_touched(ref('int_usage_placed'), 'rated_from') }}
),

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
),

priced as (
    select * from {{ ref('int_charges_priced') }}
),

charges as materialized (
    select
        priced.odoo_charge_id,
        {{ is_carried('priced') }} as is_carried,
        {{ is_prorated('priced') }} as is_prorated
    from priced
),

counted as (
    select
        placed.*,
        charges.is_prorated,
        placed.local_day - placed.period_start as days_gone
    from placed
    inner join charges
        on placed.odoo_charge_id = charges.odoo_charge_id
    where {{ counts_in_its_period('placed', 'charges') }}
),

-- Before the periods are joined: there are few charges to look among, and as many fees as sums.
folded as (
    select
        subscription_key,
        period_start,
        odoo_charge_id,
        group_key,
        sum(quantity_sum) as quantity,
        sum(quantity_sum * days_gone) filter (where is_prorated) as quantity_days_gone,
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
        folded.subscription_key,
        folded.period_start,
        folded.odoo_charge_id,
        folded.group_key,
        folded.quantity,
        folded.quantity * (charge_periods.period_end - charge_periods.period_start)
        - folded.quantity_days_gone as quantity_days,
        folded.quantity_max,
        folded.latest[2]::numeric as quantity_last,
        folded.events,
        folded.cents,
        folded.counters,
        folded.late_counters
    from folded
    inner join charge_periods
        on
            folded.subscription_key = charge_periods.subscription_key
            and folded.period_start = charge_periods.period_start
            and folded.odoo_charge_id = charge_periods.odoo_charge_id
)

select * from final
