with

charges_rated as (
    select * from {{ ref('int_charges_rated') }}
),

true_ups as (
    select * from {{ ref('int_true_ups_rated') }}
),

commitments as (
    select * from {{ ref('int_commitments_rated') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

-- What a minimum asks for on top of usage has no quantity: its amount is a flat one.
minimums as (
    select
        *,
        'true_up' as charge_model
    from true_ups
    union all
    select
        subscription_key,
        period_start,
        period_end,
        odoo_order_id,
        charge_key,
        null as metric_code,
        currency,
        minimum,
        amount_precise,
        amount,
        'minimum_commitment' as charge_model
    from commitments
),

lines as (
    select
        line_key,
        subscription_key,
        charge_key,
        period_start,
        period_end,
        tier,
        metric_code,
        odoo_order_id,
        variant,
        group_key,
        charge_model,
        quantity_used,
        quantity_included,
        quantity_billed,
        unit_price,
        package_size,
        flat_amount,
        units,
        unit_amount,
        events_count,
        amount,
        amount_precise,
        currency
    from charges_rated
    union all
    select
        -- to_char: a bare date's text follows the session's DateStyle, and the key must never move.
        subscription_key || ':' || charge_key || ':' || to_char(period_start, 'YYYY-MM-DD') || ':0'
            as line_key,
        subscription_key,
        charge_key,
        period_start,
        period_end,
        0 as tier,
        metric_code,
        odoo_order_id,
        '' as variant,
        '' as group_key,
        charge_model,
        0 as quantity_used,
        0 as quantity_included,
        0 as quantity_billed,
        minimum as unit_price,
        null as package_size,
        amount_precise as flat_amount,
        0 as units,
        null as unit_amount,
        0 as events_count,
        amount,
        amount_precise,
        currency
    from minimums
),

final as (
    select
        lines.line_key,
        periods.service_code,
        periods.account_key,
        lines.subscription_key,
        periods.plan_code,
        lines.metric_code,
        lines.charge_key,
        lines.period_start,
        lines.period_end,
        lines.tier,
        lines.quantity_used,
        lines.quantity_included,
        lines.quantity_billed,
        lines.unit_price,
        lines.amount,
        lines.amount_precise,
        lines.currency,
        lines.odoo_order_id,
        lines.variant,
        lines.group_key,
        lines.charge_model,
        lines.package_size,
        lines.flat_amount,
        lines.units,
        lines.unit_amount,
        lines.events_count
    from lines
    inner join periods
        on
            lines.subscription_key = periods.subscription_key
            and lines.period_start = periods.period_start
)

select * from final
