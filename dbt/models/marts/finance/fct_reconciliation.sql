-- App, platform and Odoo side by side, per charge and period. Exactly one reason per difference:
-- the first of the list in DECISIONS.md that holds.

with

rated as (
    select * from {{ ref('fct_rated_lines') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

closings as (
    select * from {{ ref('int_period_closings') }}
),

billed as (
    select * from {{ ref('int_charges_billed') }}
),

apps as (
    select * from {{ ref('int_app_charges_billed') }}
),

odoo as (
    select * from {{ ref('int_odoo_charges_billed') }}
),

subscriptions as (
    select * from {{ ref('dim_subscription') }}
),

charges as (
    select * from {{ ref('dim_charge') }}
),

accounts as (
    select * from {{ ref('dim_account') }}
),

-- An app whose invoices of a month were not imported is not compared, rather than missing.
imported_months as (
    select distinct
        service_code,
        date_trunc('month', period_start)::date as month
    from apps
),

rated_periods as (
    select
        rated.subscription_key,
        rated.charge_key,
        rated.period_start,
        min(rated.period_end) as period_end,
        min(rated.currency) as currency,
        sum(rated.quantity_billed) as quantity
    from rated
    inner join closings
        on
            rated.subscription_key = closings.subscription_key
            and rated.period_start = closings.period_start
    group by 1, 2, 3
),

-- A period that no run has billed yet, with usage or without: an app that billed it early is not
-- compared.
open_periods as (
    select
        periods.subscription_key,
        periods.period_start
    from periods
    left join closings
        on
            periods.subscription_key = closings.subscription_key
            and periods.period_start = closings.period_start
    where closings.closed_by_run is null
),

platform as (
    select
        coalesce(billed.subscription_key, rated_periods.subscription_key) as subscription_key,
        coalesce(billed.charge_key, rated_periods.charge_key) as charge_key,
        coalesce(billed.period_start, rated_periods.period_start) as period_start,
        coalesce(billed.period_end, rated_periods.period_end) as period_end,
        coalesce(billed.currency, rated_periods.currency) as currency,
        coalesce(rated_periods.quantity, billed.quantity) as quantity,
        coalesce(billed.amount, 0) as amount,
        coalesce(billed.amount_in_time, 0) as amount_in_time,
        coalesce(billed.has_late_usage, false) as has_late_usage,
        billed.service_code as billed_service_code,
        billed.account_key as billed_account_key,
        billed.subscription_key is not null as is_billed
    from billed
    full join rated_periods
        on
            billed.subscription_key = rated_periods.subscription_key
            and billed.charge_key = rated_periods.charge_key
            and billed.period_start = rated_periods.period_start
),

app_charges as (
    select
        apps.*,
        charges.charge_key
    from apps
    left join subscriptions
        on apps.subscription_key = subscriptions.subscription_key
    left join charges
        on
            subscriptions.plan_code = charges.plan_code
            and apps.metric_code = charges.metric_code
),

joined as (
    select
        coalesce(platform.subscription_key, app_charges.subscription_key) as subscription_key,
        coalesce(platform.charge_key, app_charges.charge_key) as charge_key,
        app_charges.metric_code as app_metric_code,
        coalesce(platform.period_start, app_charges.period_start) as period_start,
        platform.period_end,
        coalesce(platform.currency, app_charges.currency) as currency,
        app_charges.currency as app_currency,
        app_charges.invoices as app_invoices,
        app_charges.quantity as app_quantity,
        app_charges.amount as app_amount,
        app_charges.tax_amount as app_tax,
        platform.quantity as platform_quantity,
        platform.amount as platform_amount,
        platform.amount_in_time,
        platform.has_late_usage,
        platform.is_billed,
        -- Of a subscription whose order is gone, the ledger and the app still know whose it was.
        coalesce(platform.billed_service_code, app_charges.service_code) as known_service_code,
        coalesce(platform.billed_account_key, app_charges.account_key) as known_account_key
    from platform
    full join app_charges
        on
            platform.subscription_key = app_charges.subscription_key
            and platform.charge_key = app_charges.charge_key
            and platform.period_start = app_charges.period_start
),

described as (
    select
        joined.*,
        coalesce(subscriptions.service_code, joined.known_service_code) as service_code,
        coalesce(subscriptions.account_key, joined.known_account_key) as account_key,
        coalesce(charges.metric_code, joined.app_metric_code) as metric_code,
        odoo.quantity as odoo_quantity,
        odoo.amount as odoo_amount,
        odoo.tax_amount as odoo_tax,
        odoo.missing_lines,
        odoo.changed_lines,
        odoo.push_reason,
        -- A link to another customer than the order's links nothing.
        coalesce(subscriptions.is_linked, accounts.account_key is not null) as is_linked,
        imported_months.service_code is not null as is_imported,
        joined.app_amount is not null as in_app,
        joined.platform_amount is not null as in_platform,
        open_periods.subscription_key is not null as is_open
    from joined
    left join subscriptions
        on joined.subscription_key = subscriptions.subscription_key
    left join charges
        on joined.charge_key = charges.charge_key
    left join odoo
        on
            joined.subscription_key = odoo.subscription_key
            and joined.charge_key = odoo.charge_key
            and joined.period_start = odoo.period_start
    left join open_periods
        on
            joined.subscription_key = open_periods.subscription_key
            and joined.period_start = open_periods.period_start
    left join accounts
        on coalesce(subscriptions.account_key, joined.known_account_key) = accounts.account_key
    left join imported_months
        on
            coalesce(subscriptions.service_code, joined.known_service_code)
            = imported_months.service_code
            and date_trunc('month', joined.period_start)::date = imported_months.month
),

explained as (
    select
        *,
        case
            when is_billed and missing_lines > 0 then 'missing_in_odoo'
            when is_billed and changed_lines > 0 then 'manual_change'
            when in_app and not is_linked then 'unlinked_account'
            when not is_imported or is_open then null
            when in_app and not in_platform and app_amount <> 0 then 'missing_in_platform'
            when
                has_late_usage
                and coalesce(app_amount, 0) = amount_in_time
                and amount_in_time <> platform_amount then 'late_usage'
            when in_platform and not in_app and platform_amount <> 0 then 'missing_in_app'
            when not in_app or not in_platform then null
            when app_currency <> currency then 'currency'
            when
                app_amount <> platform_amount
                and app_invoices > 1
                and app_amount = platform_amount * app_invoices then 'duplicate'
            when app_amount <> platform_amount and app_quantity <> platform_quantity then 'quantity'
            when app_amount <> platform_amount and abs(app_amount - platform_amount) <= 0.01
                then 'rounding'
            when app_amount <> platform_amount and app_quantity = platform_quantity then 'price'
            when app_amount <> platform_amount then 'unexplained'
            when app_quantity <> platform_quantity then 'quantity'
            when is_billed and abs(app_tax - odoo_tax) > 0.01 then 'tax'
        end as reason
    from described
),

final as (
    select
        subscription_key || ':' || coalesce(charge_key, app_metric_code, '') || ':'
        || coalesce(to_char(period_start, 'YYYY-MM-DD'), '') as reconciliation_key,
        service_code,
        account_key,
        subscription_key,
        metric_code,
        charge_key,
        period_start,
        period_end,
        currency,
        app_quantity,
        platform_quantity,
        odoo_quantity,
        app_amount,
        platform_amount,
        odoo_amount,
        app_tax,
        odoo_tax,
        case
            when is_imported and not is_open
                then coalesce(app_amount, 0) - coalesce(platform_amount, 0)
        end as app_delta,
        case when is_billed then coalesce(odoo_amount, 0) - platform_amount end as odoo_delta,
        case
            when reason is not null then 'difference'
            when is_imported and not is_open then 'match'
            else 'not_compared'
        end as status,
        reason,
        case reason
            when 'missing_in_odoo' then coalesce(push_reason, 'not pushed yet')
            when 'manual_change'
                then 'Odoo has ' || odoo_amount || ', the ledger ' || platform_amount
            when 'currency' then 'the app billed in ' || app_currency
            when 'duplicate' then 'billed on ' || app_invoices || ' invoices of the app'
            when 'tax' then 'the app taxed ' || app_tax || ', Odoo ' || odoo_tax
            when 'late_usage' then 'the app billed before ' || (platform_amount - amount_in_time)
                || ' of usage came in'
        end as detail
    from explained
)

select * from final
