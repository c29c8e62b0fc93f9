-- Which version of a charge prices which period, used or not: what carries its quantity over, or
-- bills at zero, is found here.

with

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

touched as (
    select * from {{ ref('int_subscriptions_touched') }}
),

subscriptions as (
    select * from {{ ref('int_subscriptions_linked') }}
),

pauses as (
    select * from {{ ref('int_subscription_pauses') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
    where metric_code is not null
),

tiers as (
    select * from {{ ref('stg_odoo__charge_tiers') }}
),

-- Usage of the trial is free: of a period in which it ends, what is used from the day after.
used_periods as (
    select
        periods.*,
        greatest(periods.period_start, periods.trial_end + 1) as used_from
    from periods
    inner join touched
        on
            periods.subscription_key = touched.subscription_key
            and periods.period_start >= touched.rated_from
    where
        periods.is_linked
        and coalesce(periods.trial_end < periods.period_end - 1, true)
),

-- Pauses do not touch one another: a period that is paused throughout lies within one.
-- Written down: the planner would look up the charges of everybody's periods first.
served_periods as materialized (
    select used_periods.*
    from used_periods
    left join pauses
        on
            used_periods.subscription_key = pauses.subscription_key
            and used_periods.used_from >= pauses.paused_from
            and used_periods.period_end <= coalesce(pauses.paused_until, 'infinity') + 1
    where pauses.subscription_key is null
),

final as (
    select
        served_periods.subscription_key,
        served_periods.period_start,
        served_periods.period_end,
        charges.charge_key,
        charges.odoo_charge_id,
        served_periods.service_code,
        subscriptions.external_subscription_id,
        served_periods.odoo_order_id,
        served_periods.plan_code,
        charges.metric_code,
        charges.aggregation,
        {{ is_carried('charges') }} as is_carried,
        {{ is_prorated('charges') }} as is_prorated,
        coalesce(
            charges.charge_model = 'percentage'
            and coalesce(
                charges.free_events, charges.free_amount,
                charges.transaction_min, charges.transaction_max
            ) is not null,
            false
        )
        or (charges.charge_model = 'graduated' and charges.prorated) as is_priced_by_event,
        coalesce(tiers.flat_amount, 0) <> 0 or coalesce(charges.min_amount, 0) > 0
            as is_billed_at_zero,
        served_periods.used_from,
        served_periods.nominal_start,
        served_periods.nominal_end,
        served_periods.nominal_days
    from served_periods
    inner join subscriptions
        on served_periods.subscription_key = subscriptions.subscription_key
    inner join charges
        on
            served_periods.plan_code = charges.plan_code
            and served_periods.period_start >= coalesce(charges.valid_from, '-infinity')
            and served_periods.period_start <= coalesce(charges.valid_to, 'infinity')
    left join tiers
        on
            charges.odoo_charge_id = tiers.odoo_charge_id
            and tiers.tier = 1
            and charges.charge_model in ('graduated', 'graduated_percentage', 'volume')
)

select * from final
