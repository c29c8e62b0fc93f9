-- Every ledger line and every line that the apps billed and that is compared stands there, once. Of
-- the lines as they were imported: none may be lost on the way.
with

compared as (
    select
        subscription_key,
        sum(platform_amount) as ledger_amount,
        sum(app_amount) as app_amount
    from {{ ref('fct_reconciliation') }}
    group by 1
),

ledger as (
    select
        subscription_key,
        sum(amount) as amount
    from {{ ref('fct_billed_lines') }}
    group by 1
),

apps as (
    select
        coalesce(subscription_key, account_key || ':?', service_code || '::?') as subscription_key,
        sum(amount) as amount
    from {{ ref('stg_app_billing__lines') }}
    where
        is_billed
        and item_type in ('charge', 'subscription', 'minimum_commitment')
    group by 1
),

subscriptions as (
    select subscription_key from compared
    union
    select subscription_key from ledger
    union
    select subscription_key from apps
)

select
    subscriptions.subscription_key,
    compared.ledger_amount,
    ledger.amount as ledger_amount_expected,
    compared.app_amount,
    apps.amount as app_amount_expected
from subscriptions
left join compared
    on subscriptions.subscription_key = compared.subscription_key
left join ledger
    on subscriptions.subscription_key = ledger.subscription_key
left join apps
    on subscriptions.subscription_key = apps.subscription_key
where
    coalesce(compared.ledger_amount, 0) <> coalesce(ledger.amount, 0)
    or coalesce(compared.app_amount, 0) <> coalesce(apps.amount, 0)
