-- Two charges of a plan on one metric would bill a counter twice. The variants of a charge do not:
-- filters send a counter to one of them.
with

charges as (
    select * from {{ ref('int_charges_priced') }}
)

select
    charges.plan_code,
    charges.metric_code,
    charges.charge_code,
    others.charge_code as other_charge_code
from charges
inner join charges as others
    on
        charges.plan_code = others.plan_code
        and charges.metric_code = others.metric_code
        and charges.charge_code < others.charge_code
        and daterange(charges.valid_from, charges.valid_to, '[]')
        && daterange(others.valid_from, others.valid_to, '[]')
