-- The app's subscription fees beside Odoo's base fees, per subscription and period: what Odoo
-- invoiced, or in the dual run, when it invoices nothing, what the order's recurring lines would
-- bill. The platform has no base fees.

with

apps as (
    select * from {{ ref('int_app_charges_billed') }}
    where item_type = 'base_fee'
),

billed as (
    select * from {{ ref('int_odoo_base_fees_billed') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

closings as (
    select * from {{ ref('int_period_closings') }}
),

base_lines as (
    select * from {{ ref('stg_odoo__base_lines') }}
),

products as (
    select * from {{ ref('stg_odoo__products') }}
    where is_recurring
),

orders as (
    select * from {{ ref('stg_odoo__subscriptions') }}
),

decisions as (
    select * from {{ ref('stg_ops__cutover') }}
),

order_fees as (
    select
        base_lines.odoo_order_id,
        sum(base_lines.quantity_ordered) as quantity,
        sum(
            round(
                base_lines.quantity_ordered * base_lines.unit_price
                * (1 - base_lines.discount / 100),
                2
            )
        ) as amount
    from base_lines
    inner join products
        on base_lines.odoo_product_id = products.odoo_product_id
    group by 1
),

ordered as (
    select
        periods.service_code,
        periods.subscription_key,
        periods.period_start,
        periods.account_key,
        periods.period_end,
        order_fees.quantity,
        order_fees.amount
    from periods
    inner join closings
        on
            periods.subscription_key = closings.subscription_key
            and periods.period_start = closings.period_start
    inner join order_fees
        on periods.odoo_order_id = order_fees.odoo_order_id
    where {{ phase_of('periods.service_code', 'periods.period_start') }} = 'dual_run'
),

odoo as (
    select
        service_code,
        subscription_key,
        period_start,
        account_key,
        period_end,
        -- An order that nothing was invoiced of yet is in the company's currency, as charges are.
        {{ company_currency() }} as currency,
        quantity,
        amount,
        0 as credited_amount,
        null::numeric as tax_amount
    from ordered
    union all
    select
        billed.service_code,
        billed.subscription_key,
        billed.period_start,
        billed.account_key,
        billed.period_end,
        billed.currency,
        billed.quantity,
        billed.amount,
        billed.credited_amount,
        billed.tax_amount
    from billed
    left join ordered
        on
            billed.subscription_key = ordered.subscription_key
            and billed.period_start = ordered.period_start
    where ordered.subscription_key is null
),

-- The day that Odoo invoices a subscription next: it has billed what began before. What no order
-- will ever bill should have been.
next_due as (
    select
        service_code || ':' || external_subscription_id as subscription_key,
        max(next_invoice_date) as day
    from orders
    where order_state = 'sale'
    group by 1
),

-- Before its first base fee Odoo did not bill any of the service's.
begun as (
    select
        service_code,
        min(period_start) as first_period
    from odoo
    group by 1
),

final as (
    select
        'base_fee' as item_type,
        coalesce(odoo.service_code, apps.service_code) as known_service_code,
        coalesce(odoo.account_key, apps.account_key) as known_account_key,
        coalesce(odoo.subscription_key, apps.subscription_key) as subscription_key,
        null as charge_key,
        null as metric_code,
        coalesce(odoo.period_start, apps.period_start) as period_start,
        odoo.period_end,
        coalesce(odoo.currency, apps.currency) as currency,
        {{ app_measures('apps') }},
        null::numeric as platform_quantity,
        null::numeric as platform_amount,
        odoo.quantity as odoo_quantity,
        odoo.amount as odoo_amount,
        odoo.tax_amount as odoo_tax,
        odoo.currency as odoo_currency,
        coalesce(odoo.credited_amount, 0) as odoo_credited,
        0 as missing_lines,
        0 as changed_lines,
        0 as altered_lines,
        null as push_reason,
        odoo.amount as other_amount,
        odoo.amount + odoo.credited_amount as list_amount,
        odoo.quantity as other_quantity,
        odoo.quantity as quantity_used,
        odoo.quantity as quantity_in_time,
        odoo.quantity as quantity_used_in_time,
        odoo.amount as amount_in_time,
        false as has_late_usage,
        case when odoo.quantity > 0 then (odoo.amount + odoo.credited_amount) / odoo.quantity end
            as lowest_price,
        case when odoo.quantity > 0 then (odoo.amount + odoo.credited_amount) / odoo.quantity end
            as highest_price,
        0 as flat_amount,
        apps.subscription_key is not null as in_app,
        false as in_platform,
        odoo.subscription_key is not null as in_odoo,
        false as is_billed,
        coalesce(
            coalesce(odoo.period_start, apps.period_start) >= begun.first_period
            and (
                odoo.subscription_key is not null
                or coalesce(next_due.day > apps.period_start, true)
            ),
            false
        ) as is_due
    from odoo
    full join apps
        on
            odoo.subscription_key = apps.subscription_key
            and odoo.period_start = apps.period_start
    left join begun
        on coalesce(odoo.service_code, apps.service_code) = begun.service_code
    left join next_due
        on apps.subscription_key = next_due.subscription_key
)

select * from final
