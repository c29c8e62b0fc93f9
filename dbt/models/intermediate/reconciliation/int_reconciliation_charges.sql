-- App, platform and Odoo side by side, per subscription, charge and period.

with

apps as (
    select * from {{ ref('int_app_charges_billed') }}
    where item_type = 'charge'
),

platform as (
    select * from {{ ref('int_platform_charges_rated') }}
),

odoo as (
    select * from {{ ref('int_odoo_charges_billed') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

subscriptions as (
    select * from {{ ref('dim_subscription') }}
),

charges as (
    select * from {{ ref('dim_charge') }}
),

-- A metric has one charge in a plan, whatever its variants; so has a minimum commitment.
charges_of_plans as (
    select
        plan_code,
        metric_code,
        min(charge_group) as charge_key
    from charges
    group by 1, 2
),

app_charges as (
    select
        apps.*,
        charges_of_plans.charge_key
    from apps
    left join periods
        on
            apps.subscription_key = periods.subscription_key
            and apps.period_start = periods.period_start
    left join subscriptions
        on apps.subscription_key = subscriptions.subscription_key
    left join charges_of_plans
        on
            coalesce(periods.plan_code, subscriptions.plan_code) = charges_of_plans.plan_code
            and apps.metric_code is not distinct from charges_of_plans.metric_code
),

-- A plan that was corrected, or a charge that was renamed, after it was billed leaves a row of the
-- old charge that nets to 0. The app is held against one row: what stands in the ledger, else the
-- charge of the plan, else the first by name.
held_against as (
    select
        platform.*,
        case
            when
                row_number() over (
                    partition by
                        platform.subscription_key, platform.metric_code, platform.period_start
                    order by
                        platform.amount <> 0 desc,
                        coalesce(platform.charge_key = app_charges.charge_key, false) desc,
                        platform.charge_key asc
                ) = 1
                then coalesce(platform.metric_code, '')
        end as app_metric_code
    from platform
    left join app_charges
        on
            platform.subscription_key = app_charges.subscription_key
            and coalesce(platform.metric_code, '') = coalesce(app_charges.metric_code, '')
            and platform.period_start = app_charges.period_start
),

final as (
    select
        'charge' as item_type,
        -- Of a subscription whose order is gone, the ledger and the app still know whose it was.
        coalesce(platform.service_code, app_charges.service_code) as known_service_code,
        coalesce(platform.account_key, app_charges.account_key) as known_account_key,
        coalesce(platform.subscription_key, app_charges.subscription_key) as subscription_key,
        coalesce(platform.charge_key, app_charges.charge_key) as charge_key,
        coalesce(platform.metric_code, app_charges.metric_code) as metric_code,
        coalesce(platform.period_start, app_charges.period_start) as period_start,
        platform.period_end,
        coalesce(platform.currency, app_charges.currency) as currency,
        {{ app_measures('app_charges') }},
        platform.quantity as platform_quantity,
        platform.amount as platform_amount,
        odoo.quantity as odoo_quantity,
        odoo.amount as odoo_amount,
        odoo.tax_amount as odoo_tax,
        odoo.currency as odoo_currency,
        coalesce(odoo.credited_amount, 0) as odoo_credited,
        coalesce(odoo.missing_lines, 0) as missing_lines,
        coalesce(odoo.changed_lines, 0) as changed_lines,
        coalesce(odoo.altered_lines, 0) as altered_lines,
        odoo.push_reason,
        -- What the app is held against, and what its lines would come to.
        platform.amount as other_amount,
        platform.amount as list_amount,
        platform.quantity as other_quantity,
        platform.quantity_used,
        platform.quantity_in_time,
        platform.quantity_used_in_time,
        platform.amount_in_time,
        coalesce(platform.has_late_usage, false) as has_late_usage,
        platform.lowest_price,
        platform.highest_price,
        platform.flat_amount,
        app_charges.subscription_key is not null as in_app,
        platform.subscription_key is not null as in_platform,
        odoo.subscription_key is not null as in_odoo,
        coalesce(platform.is_billed, false) as is_billed,
        true as is_due
    from held_against as platform
    full join app_charges
        on
            platform.subscription_key = app_charges.subscription_key
            and platform.app_metric_code = coalesce(app_charges.metric_code, '')
            and platform.period_start = app_charges.period_start
    left join odoo
        on
            platform.subscription_key = odoo.subscription_key
            and platform.charge_key = odoo.charge_key
            and platform.period_start = odoo.period_start
)

select * from final
