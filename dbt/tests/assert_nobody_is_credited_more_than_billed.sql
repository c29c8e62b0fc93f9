-- A desired amount is never negative, so adjustments never take a line's total below nothing.
select
    rated_line_key,
    currency,
    sum(amount) as amount
from {{ ref('fct_billed_lines') }}
group by 1, 2
having sum(amount) < 0 or sum(quantity_billed) < 0
