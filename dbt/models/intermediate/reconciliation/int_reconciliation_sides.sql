-- All items of app, platform and Odoo, with what one needs to know before one compares them: whose
-- they are, who bills the period, and which sides of it are there to be compared at all.

with

charges as (
    select * from {{ ref('int_reconciliation_charges') }}
),

base_fees as (
    select * from {{ ref('int_reconciliation_base_fees') }}
),

apps as (
    select * from {{ ref('int_app_charges_billed') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

closings as (
    select * from {{ ref('int_period_closings') }}
),

subscriptions as (
    select * from {{ ref('dim_subscription') }}
),

accounts as (
    select * from {{ ref('dim_account') }}
),

decisions as (
    select * from {{ ref('stg_ops__cutover') }}
),

-- An app whose invoices of a month were not imported is not compared, rather than missing. By what
-- they bill: fees in advance stand a month before the usage of their period.
imported_months as (
    select distinct
        service_code,
        item_type,
        date_trunc('month', period_start)::date as month
    from apps
),

items as (
    select * from charges
    union all
    select * from base_fees
),

owned as (
    select
        items.*,
        coalesce(subscriptions.service_code, items.known_service_code) as service_code,
        coalesce(periods.account_key, subscriptions.account_key, items.known_account_key)
            as account_key,
        subscriptions.is_linked as is_subscription_linked,
        periods.period_end as own_period_end,
        periods.days,
        periods.nominal_days,
        -- A period that no run has billed yet, with usage or without: an app that billed it early
        -- is not compared.
        periods.subscription_key is not null and closings.closed_by_run is null as is_open
    from items
    left join subscriptions
        on items.subscription_key = subscriptions.subscription_key
    left join periods
        on
            items.subscription_key = periods.subscription_key
            and items.period_start = periods.period_start
    left join closings
        on
            items.subscription_key = closings.subscription_key
            and items.period_start = closings.period_start
),

phased as (
    select
        *,
        {{ phase_of('owned.service_code', 'owned.period_start') }} as phase
    from owned
),

linked as (
    select
        phased.*,
        -- A link to another customer than the order's links nothing.
        coalesce(phased.is_subscription_linked, accounts.account_key is not null) as is_linked,
        imported_months.service_code is not null as is_imported,
        phased.phase <> 'shadow' as is_odoo_compared
    from phased
    left join accounts
        on phased.account_key = accounts.account_key
    left join imported_months
        on
            phased.service_code = imported_months.service_code
            and phased.item_type = imported_months.item_type
            and date_trunc('month', phased.period_start)::date = imported_months.month
),

final as (
    select
        subscription_key || ':'
        || case item_type
            when 'base_fee' then 'base_fee'
            else coalesce(charge_key, metric_code, '')
        end || ':' || coalesce(to_char(period_start, 'YYYY-MM-DD'), '') as reconciliation_key,
        item_type,
        service_code,
        account_key,
        subscription_key,
        charge_key,
        metric_code,
        period_start,
        coalesce(period_end, own_period_end) as period_end,
        days,
        nominal_days,
        phase,
        currency,
        {{ app_columns() }},
        platform_quantity,
        platform_amount,
        odoo_quantity,
        odoo_amount,
        odoo_tax,
        odoo_currency,
        odoo_credited,
        missing_lines,
        changed_lines,
        altered_lines,
        push_reason,
        other_amount,
        list_amount,
        other_quantity,
        quantity_used,
        quantity_in_time,
        quantity_used_in_time,
        amount_in_time,
        has_late_usage,
        lowest_price,
        highest_price,
        flat_amount,
        in_app,
        in_platform,
        in_odoo,
        case item_type when 'charge' then in_platform else in_odoo end as in_other,
        is_billed,
        is_linked,
        is_imported,
        is_odoo_compared,
        is_imported
        and not is_open
        and (item_type = 'charge' or (is_odoo_compared and is_due)) as is_app_compared
    from linked
)

select * from final
