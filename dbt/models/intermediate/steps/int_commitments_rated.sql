-- A plan's minimum commitment: what its fees of a period, the base fee among them, fall short of.
-- A part of a period owes, and its base fee counts for, the same part; days of a trial owe nothing.

with

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

touched as (
    select * from {{ ref('int_subscriptions_touched') }}
),

pauses as (
    select * from {{ ref('int_subscription_pauses') }}
),

commitments as (
    select * from {{ ref('int_charges_priced') }}
    where charge_model = 'minimum_commitment'
),

charges_rated as (
    select * from {{ ref('int_charges_rated') }}
),

true_ups as (
    select * from {{ ref('int_true_ups_rated') }}
),

base_lines as (
    select * from {{ ref('stg_odoo__base_lines') }}
),

products as (
    select * from {{ ref('stg_odoo__products') }}
    where is_recurring
),

-- What Odoo bills of an order every period.
base_fees as (
    select
        base_lines.odoo_order_id,
        sum(
            base_lines.quantity_ordered * base_lines.unit_price
            * (1 - base_lines.discount * 0.01)
        ) as amount
    from base_lines
    inner join products
        on base_lines.odoo_product_id = products.odoo_product_id
    group by 1
),

fees as (
    select
        subscription_key,
        period_start,
        sum(amount) as amount
    from (
        select
            subscription_key,
            period_start,
            amount
        from charges_rated
        union all
        select
            subscription_key,
            period_start,
            amount
        from true_ups
    ) as of_charges
    group by 1, 2
),

owed_periods as (
    select
        periods.*,
        greatest(periods.period_start, periods.trial_end + 1) as owed_from
    from periods
    inner join touched
        on
            periods.subscription_key = touched.subscription_key
            and periods.period_start >= touched.rated_from
    where
        periods.is_linked
        and coalesce(periods.trial_end < periods.period_end - 1, true)
),

-- As for charges: of a period whose trial ends, what comes after it is paused throughout or not.
served as (
    select owed_periods.*
    from owed_periods
    left join pauses
        on
            owed_periods.subscription_key = pauses.subscription_key
            and owed_periods.owed_from >= pauses.paused_from
            and owed_periods.period_end <= coalesce(pauses.paused_until, 'infinity') + 1
    where pauses.subscription_key is null
),

owed as (
    select
        served.subscription_key,
        served.period_start,
        served.period_end,
        served.odoo_order_id,
        commitments.charge_key,
        commitments.currency,
        {{ part_of_period(
            'commitments.min_amount',
            '(served.period_end - served.owed_from)',
            'served.nominal_days'
        ) }} as minimum,
        {{ round_money(part_of_period(
            'coalesce(base_fees.amount, 0)',
            '(served.period_end - served.owed_from)',
            'served.nominal_days'
        ), 'commitments.currency') }} + coalesce(fees.amount, 0) as amount_rated
    from served
    inner join commitments
        on
            served.plan_code = commitments.plan_code
            and served.period_start >= coalesce(commitments.valid_from, '-infinity')
            and served.period_start <= coalesce(commitments.valid_to, 'infinity')
    left join fees
        on
            served.subscription_key = fees.subscription_key
            and served.period_start = fees.period_start
    left join base_fees
        on served.odoo_order_id = base_fees.odoo_order_id
),

final as (
    select
        subscription_key,
        period_start,
        period_end,
        odoo_order_id,
        charge_key,
        currency,
        {{ round_money('minimum', 'currency') }} as minimum,
        greatest(minimum - amount_rated, 0) as amount_precise,
        {{ round_money('greatest(minimum - amount_rated, 0)', 'currency') }} as amount
    from owed
)

select * from final
