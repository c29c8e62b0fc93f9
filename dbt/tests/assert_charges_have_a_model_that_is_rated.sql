-- fct_rated_lines prices every charge as quota and unit price: another model must not slip through.
select
    charge_key,
    charge_model
from {{ ref('int_charges_priced') }}
where charge_model is distinct from 'standard'
