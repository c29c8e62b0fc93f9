"""ops.odoo_push: where each ledger line stands on its way through Odoo.

planned → sent → verified → invoiced, or refused, or differs. `problem` names why of the latter two,
and what an invoice made of a verified line that it should not have.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Engine

from warehouse.tables import odoo_push

DONE = ("verified", "invoiced")

_PLAN = sa.text("""
    insert into ops.odoo_push (line_key, state, odoo_order_id)
    select line_key, 'planned', odoo_order_id from ops.billed_line
    on conflict (line_key) do nothing
""")

_SEND = sa.text("""
    update ops.odoo_push
    set state = 'sent', attempts = attempts + 1, pushed_at = clock_timestamp()
    where line_key = any(:line_keys)
""")

# What posted invoices and credit notes hold of each order line, as the mirror read it. Of one cent
# a line's tax may differ from its taxes' sum: Odoo's Canadian chart rounds an invoice as a whole.
_SETTLE = sa.text("""
    with invoiced as (
        select
            sale_line.id::bigint as odoo_line_id,
            sum(sign.sign * (line.record ->> 'price_subtotal')::numeric) as subtotal,
            sum(
                sign.sign * (
                    (line.record ->> 'price_total')::numeric
                    - (line.record ->> 'price_subtotal')::numeric
                )
            ) as tax
        from raw.odoo_invoice_line as line
        inner join raw.odoo_invoice as move
            on (line.record ->> 'move_id')::bigint = move.id
        cross join lateral jsonb_array_elements_text(line.record -> 'sale_line_ids')
            as sale_line (id)
        cross join lateral (
            select case when move.record ->> 'move_type' = 'out_refund' then -1 else 1 end
        ) as sign (sign)
        where
            line.deleted_at is null
            and move.deleted_at is null
            and move.record ->> 'state' = 'posted'
        group by 1
    ),

    judged as (
        select
            pushed.line_key,
            case
                when invoiced.odoo_line_id is null then null
                when invoiced.subtotal <> pushed.subtotal then 'invoiced_differently'
                when abs(invoiced.tax - pushed.tax) > 0.01 then 'tax_differs'
            end as problem,
            invoiced.odoo_line_id is not null as is_invoiced,
            invoiced.subtotal,
            invoiced.tax
        from ops.odoo_push as pushed
        left join invoiced
            on pushed.odoo_line_id = invoiced.odoo_line_id
        where pushed.state in ('verified', 'invoiced')
    )

    update ops.odoo_push as pushed
    set
        state = case when judged.is_invoiced and judged.problem is null then 'invoiced'
            else 'verified' end,
        problem = judged.problem,
        reason = case judged.problem
            when 'invoiced_differently'
                then 'invoiced ' || judged.subtotal || ', the ledger has ' || pushed.subtotal
            when 'tax_differs'
                then 'invoiced with a tax of ' || judged.tax || ', its taxes make ' || pushed.tax
        end
    from judged
    where
        pushed.line_key = judged.line_key
        and (pushed.state = 'invoiced', pushed.problem)
        is distinct from (judged.is_invoiced and judged.problem is null, judged.problem)
    returning coalesce(pushed.problem, pushed.state)
""")


def plan(engine: Engine) -> None:
    """Notes the ledger's lines that were never pushed."""
    with engine.begin() as connection:
        connection.execute(_PLAN)


def sent(engine: Engine, lines: Sequence[Mapping[str, Any]]) -> None:
    """Notes, before it happens, that these lines are asked of Odoo."""
    with engine.begin() as connection:
        connection.execute(_SEND, {"line_keys": [line["line_key"] for line in lines]})


def record(engine: Engine, rows: Sequence[Mapping[str, Any]]) -> None:
    """Notes what was read back, or why nothing was sent."""
    statement = insert(odoo_push)
    names = ("state", "problem", "reason", "odoo_order_id", "odoo_line_id", "subtotal", "tax")
    with engine.begin() as connection:
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[odoo_push.c.line_key],
                set_={name: statement.excluded[name] for name in names}
                | {"pushed_at": sa.func.clock_timestamp()},
            ),
            list(rows),
        )


def settle_invoiced(engine: Engine) -> dict[str, int]:
    """After the mirror has read the invoices: lines that stand on posted ones become `invoiced`,
    and `verified` again where the invoice goes. One that Odoo invoiced with another amount or tax
    stays `verified`, as it was read back, with its problem. Counts of what changed, by name."""
    with engine.begin() as connection:
        names: list[str] = list(connection.execute(_SETTLE).scalars())
    return dict(Counter(names))
