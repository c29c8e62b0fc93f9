-- A dimension has a row for each record that it tells of; a second one its key's test would find.
{% set dimensions = {
    "dim_account": "stg_odoo__account_links",
    "dim_charge_version": "int_charges_priced",
    "dim_metric": "stg_odoo__metrics",
    "dim_service": "stg_ops__services",
    "dim_subscription": "int_subscriptions_linked",
} %}

with

counted as (
    {% for dimension, records in dimensions.items() -%}
        select
            '{{ dimension }}' as dimension,
            (select count(*) from {{ ref(records) }}) as records,
            (select count(*) from {{ ref(dimension) }}) as told
        {{ "union all" if not loop.last }}
    {% endfor -%}
)

select *
from counted
where records <> told
