-- The ledger of one rated line: 0, 1, 2 …, and its keys say the same. A gap is a line that somebody
-- took out of an append-only ledger.
select
    rated_line_key,
    count(*) as lines,
    min(adjustment_no) as first_no,
    max(adjustment_no) as last_no
from {{ ref('fct_billed_lines') }}
group by 1
having
    min(adjustment_no) <> 0
    or max(adjustment_no) <> count(*) - 1
    or bool_or(
        line_key <> rated_line_key
        || case when adjustment_no = 0 then '' else '~' || adjustment_no end
    )
