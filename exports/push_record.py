"""ops.odoo_push: where each ledger line stands on its way through Odoo.

planned → sent → verified → invoiced, or refused, or differs; a line of a dual-run period ends as
drafted. `problem` names why of refused and differs, and what became of a verified or drafted line
that should not have. `odoo_order_id` is the order it stands on: a draft's is not the ledger's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Engine

from warehouse.tables import odoo_push

_PLAN = sa.text("""
    insert into ops.odoo_push (line_key, state, odoo_order_id)
    select line_key, 'planned', odoo_order_id from ops.billed_line
    where line_key = any(:line_keys)
    on conflict (line_key) do nothing
""")

_SEND = sa.text("""
    update ops.odoo_push as pushed
    set state = 'sent', odoo_order_id = asked.odoo_order_id, attempts = pushed.attempts + 1,
        pushed_at = clock_timestamp()
    from unnest(cast(:line_keys as text[]), cast(:orders as bigint[]))
        as asked (line_key, odoo_order_id)
    where pushed.line_key = asked.line_key
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


# A draft may be thrown away: its lines are then drafted anew. One that was confirmed, or given a
# delivered quantity, is for finance to put right; it is told until it is.
_SETTLE_DRAFTS = sa.text("""
    with judged as (
        select
            pushed.line_key,
            line.deleted_at is not null as is_gone,
            case
                when line.record ->> 'state' = 'sale' then 'draft_confirmed'
                when line.record ->> 'state' = 'cancel' then 'draft_cancelled'
                when
                    (line.record ->> 'qty_delivered')::numeric <> 0
                    or (line.record ->> 'price_subtotal')::numeric <> pushed.subtotal
                    then 'edited_by_hand'
            end as problem,
            line.record
        from ops.odoo_push as pushed
        inner join raw.odoo_order_line as line
            on pushed.odoo_line_id = line.id
        where pushed.state = 'drafted'
    )

    update ops.odoo_push as pushed
    set
        state = case when judged.is_gone then 'planned' else pushed.state end,
        problem = case when not judged.is_gone then judged.problem end,
        reason = case
            when judged.is_gone or judged.problem is null then null
            when judged.problem = 'edited_by_hand'
                then 'the draft has ' || (judged.record ->> 'price_subtotal') || ' and delivered '
                || (judged.record ->> 'qty_delivered') || ', the ledger ' || pushed.subtotal
                || ' and none: set it back, or delete the draft and push again'
            else 'dual-run draft ' || pushed.odoo_order_id || ' is no longer a quotation: cancel'
                || ' it, set it to quotation, or delete it and push again'
        end
    from judged
    where
        pushed.line_key = judged.line_key
        and (judged.is_gone or pushed.problem is distinct from judged.problem)
    returning coalesce(pushed.problem, pushed.state)
""")


def plan(engine: Engine, lines: Sequence[Mapping[str, Any]]) -> None:
    """Notes those of these ledger lines that were never pushed."""
    with engine.begin() as connection:
        connection.execute(_PLAN, {"line_keys": [line["line_key"] for line in lines]})


def sent(engine: Engine, lines: Sequence[tuple[str, int | None]]) -> None:
    """Notes, before it happens, that these lines are asked of Odoo: line key and order."""
    keys, orders = [key for key, _ in lines], [order for _, order in lines]
    with engine.begin() as connection:
        connection.execute(_SEND, {"line_keys": keys, "orders": orders})


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
    stays `verified`, as it was read back, with its problem; so does a `drafted` one whose draft was
    confirmed, cancelled or edited. Counts of what changed, by name."""
    with engine.begin() as connection:
        names: list[str] = list(connection.execute(_SETTLE).scalars())
        names += connection.execute(_SETTLE_DRAFTS).scalars()
    return dict(Counter(names))
