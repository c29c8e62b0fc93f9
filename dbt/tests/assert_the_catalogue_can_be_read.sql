-- A price typed as `0,05`, or a filter that is no JSON of lists, prices nothing: no line is rated
-- until it is put right in Odoo.
with

charges as (
    select * from {{ ref('stg_odoo__charges') }}
),

charge_tiers as (
    select * from {{ ref('stg_odoo__charge_tiers') }}
),

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

records as (
    select
        'x_fc_charge' as odoo_model,
        odoo_charge_id as odoo_id,
        unreadable
    from charges

    union all

    select
        'x_fc_charge_tier' as odoo_model,
        odoo_charge_id as odoo_id,
        unreadable
    from charge_tiers

    union all

    select
        'x_fc_metric' as odoo_model,
        odoo_metric_id as odoo_id,
        unreadable
    from metrics
)

select *
from records
where unreadable <> '{}'
