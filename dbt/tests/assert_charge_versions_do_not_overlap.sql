-- Two versions valid on one day would price a period twice.
with

charges as (
    select * from {{ ref('int_charges_priced') }}
)

select
    charges.charge_key,
    charges.odoo_charge_id,
    others.odoo_charge_id as other_charge_id
from charges
inner join charges as others
    on
        charges.charge_key = others.charge_key
        and charges.odoo_charge_id < others.odoo_charge_id
        and daterange(charges.valid_from, charges.valid_to, '[]')
        && daterange(others.valid_from, others.valid_to, '[]')
