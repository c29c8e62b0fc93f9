-- A pause that cannot be read pauses nothing. It holds nobody's bill up: once it is put right, what
-- was billed meanwhile is credited by the next run.
{{ config(severity='warn') }}

select
    odoo_order_id,
    order_name,
    span
from {{ ref('int_pauses_read') }}
where not is_readable
