-- A fee is what one charge asks of one subscription for one period, per group: its units, the
-- version of the charge that prices it, and what the quota leaves.

with

usage as (
    {{ periods_of_the_touched(ref('int_charge_usage')) }}
),

touched as (
    select * from {{ ref('int_subscriptions_touched') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
),

measured as (
    select
        -- to_char: a bare date's text follows the session's DateStyle, and the key must never move.
        concat_ws(
            ':',
            usage.subscription_key,
            usage.charge_key,
            left(md5(nullif(usage.group_key, '')), 8),
            to_char(usage.period_start, 'YYYY-MM-DD')
        ) as fee_key,
        usage.*,
        charges.charge_group,
        charges.variant,
        charges.charge_model,
        charges.prorated,
        charges.unit_price,
        charges.package_size,
        charges.rate,
        charges.fixed_amount,
        charges.free_events,
        charges.free_amount,
        charges.transaction_min,
        charges.transaction_max,
        charges.currency,
        charges.quantity_included
        + case when charges.charge_model = 'package' then charges.free_units else 0 end as quota
    from usage
    inner join touched
        on
            usage.subscription_key = touched.subscription_key
            and usage.period_start >= touched.rated_from
    inner join charges
        on usage.odoo_charge_id = charges.odoo_charge_id
),

final as (
    select
        fee_key,
        subscription_key,
        charge_key,
        group_key,
        period_start,
        period_end,
        odoo_order_id,
        odoo_charge_id,
        charge_group,
        variant,
        metric_code,
        charge_model,
        prorated,
        currency,
        unit_price,
        package_size,
        rate,
        fixed_amount,
        free_events,
        free_amount,
        transaction_min,
        transaction_max,
        quota,
        units,
        full_units,
        events_count,
        cents_sum,
        event_values,
        event_prorated_values,
        least(greatest(units, 0), quota) as units_included,
        greatest(units - quota, 0) as units_billed,
        greatest(full_units - quota, 0) as full_units_billed
    from measured
)

select * from final
