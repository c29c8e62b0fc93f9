-- An unbroken time of a subscription on the same terms. A renewal on the same terms goes on with
-- its segment; another plan, account, customer, rhythm or trial begins the next one.

with

orders as (
    select * from {{ ref('int_subscription_orders') }}
),

account_links as (
    select * from {{ ref('stg_odoo__account_links') }}
),

partners as (
    select * from {{ ref('stg_odoo__partners') }}
),

followed as (
    select
        *,
        coalesce(lag(last_day) over subscription_orders + 1 = first_day, false) as is_unbroken,
        jsonb_build_array(
            plan_code, external_account_id, odoo_partner_id,
            billing_time, billing_period_unit, billing_period_value
        ) as terms
    from orders
    window subscription_orders as (partition by subscription_key order by first_day)
),

compared as (
    select
        *,
        is_unbroken
        and terms = lag(terms) over (partition by subscription_key order by first_day)
        and coalesce(trial_end < first_day, true) as is_continued
    from followed
),

numbered as (
    select
        *,
        count(*) filter (where not is_unbroken) over subscription_orders as service_no,
        count(*) filter (where not coalesce(is_continued, false)) over subscription_orders
            as segment_no
    from compared
    window subscription_orders as (partition by subscription_key order by first_day)
),

anchored as (
    select
        *,
        min(first_day) over (partition by subscription_key, service_no) as anchor_date,
        min(first_day) over segments as segment_start,
        last_value(last_day) over segments as segment_end,
        first_value(trial_end) over segments as segment_trial_end,
        row_number() over (
            partition by subscription_key, segment_no
            order by first_day desc
        ) as newest_first
    from numbered
    window
        segments as (
            partition by subscription_key, segment_no
            order by first_day
            rows between unbounded preceding and unbounded following
        )
),

final as (
    select
        anchored.subscription_key,
        anchored.segment_no::int as segment_no,
        anchored.service_code || ':' || anchored.external_account_id as account_key,
        anchored.service_code,
        anchored.external_subscription_id,
        anchored.external_account_id,
        -- The order that goes on: an order that was renewed is not invoiced any more.
        anchored.odoo_order_id,
        anchored.order_name,
        anchored.odoo_partner_id,
        partners.partner_name,
        anchored.plan_code,
        anchored.billing_time,
        anchored.billing_period_unit,
        anchored.billing_period_value,
        anchored.subscription_state,
        -- The anchor of all periods of an unbroken service, through changes of plan, as in Lago.
        anchored.anchor_date as start_date,
        anchored.segment_start,
        anchored.segment_end,
        anchored.segment_trial_end as trial_end,
        anchored.is_in_progress,
        account_links.odoo_account_link_id is not null as is_linked
    from anchored
    left join partners
        on anchored.odoo_partner_id = partners.odoo_partner_id
    left join account_links
        on
            anchored.service_code = account_links.service_code
            and anchored.external_account_id = account_links.external_account_id
            and anchored.odoo_partner_id = account_links.odoo_partner_id
    where anchored.newest_first = 1
)

select * from final
