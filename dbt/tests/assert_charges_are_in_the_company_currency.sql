-- Odoo bills every subscription in the company's currency: a charge in another would land on its
-- order at face value.

with

charges as (
    select * from {{ ref('stg_odoo__charges') }}
)

select *
from charges
where currency is distinct from {{ company_currency() }}
