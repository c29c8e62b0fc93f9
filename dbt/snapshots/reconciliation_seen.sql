{# Every difference as it was seen, version by version. Unlike all else that dbt makes, this cannot be
   made again: what a build saw is written down here alone. #}
{% snapshot reconciliation_seen %}

{{ config(
    schema="marts",
    unique_key="reconciliation_key",
    strategy="check",
    check_cols=[
        "account_key", "phase", "reason", "delta", "app_amount", "platform_amount", "odoo_amount",
        "app_tax", "odoo_tax",
    ],
    hard_deletes="invalidate",
    tags=["finance"],
    grants={"select": ["fusion_reader"]},
) }}

select
    reconciliation_key,
    service_code,
    account_key,
    subscription_key,
    item_type,
    metric_code,
    period_start,
    period_end,
    phase,
    currency,
    app_amount,
    platform_amount,
    odoo_amount,
    app_tax,
    odoo_tax,
    delta,
    reason
from {{ ref('int_reconciliation_reasoned') }}
where status = 'difference'

{% endsnapshot %}
