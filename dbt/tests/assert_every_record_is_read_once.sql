-- What the mirror and the registry hold is read, each record once. An order, a link or a base fee
-- that got lost in between would bill less, and no equation of what is left would show it.
{% set read = {
    "account_link": "stg_odoo__account_links",
    "base_line": "stg_odoo__base_lines",
    "charge": "stg_odoo__charges",
    "charge_tier": "stg_odoo__charge_tiers",
    "metric": "stg_odoo__metrics",
    "partner": "stg_odoo__partners",
    "plan": "stg_odoo__plans",
    "product": "stg_odoo__products",
    "subscription": "stg_odoo__subscriptions",
} %}

with

counted as (
    {% for record, model in read.items() -%}
        select
            '{{ record }}' as record,
            (
                select count(*) from {{ source("raw", "odoo_" ~ record) }}
                where deleted_at is null
            ) as there,
            (select count(*) from {{ ref(model) }}) as read

        union all

    {% endfor -%}
    select
        'service' as record,
        (select count(*) from {{ source("ops", "service") }}) as there,
        (select count(*) from {{ ref("stg_ops__services") }}) as read
)

select *
from counted
where there <> read
