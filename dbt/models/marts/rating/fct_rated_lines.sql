with

usage as (
    select * from {{ ref('int_usage_by_period') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
),

subscriptions as (
    select * from {{ ref('int_subscriptions_linked') }}
),

split as (
    select
        usage.subscription_key,
        usage.period_start,
        usage.period_end,
        usage.quantity_used,
        charges.charge_key,
        charges.metric_code,
        charges.unit_price,
        charges.currency,
        least(greatest(usage.quantity_used, 0), charges.quantity_included) as quantity_included,
        greatest(usage.quantity_used - charges.quantity_included, 0) as quantity_billed
    from usage
    inner join charges
        on usage.charge_key = charges.charge_key
),

priced as (
    select
        *,
        quantity_billed * unit_price as amount_precise
    from split
),

final as (
    select
        -- to_char: a bare date's text follows the session's DateStyle, and the key must never move.
        priced.subscription_key || ':' || priced.charge_key
        || ':' || to_char(priced.period_start, 'YYYY-MM-DD') || ':1' as line_key,
        subscriptions.service_code,
        subscriptions.account_key,
        priced.subscription_key,
        subscriptions.plan_code,
        priced.metric_code,
        priced.charge_key,
        priced.period_start,
        priced.period_end,
        1 as tier,
        priced.quantity_used,
        priced.quantity_included,
        priced.quantity_billed,
        priced.unit_price,
        {{ round_money('priced.amount_precise', 'priced.currency') }} as amount,
        priced.amount_precise,
        priced.currency
    from priced
    inner join subscriptions
        on priced.subscription_key = subscriptions.subscription_key
)

select * from final
