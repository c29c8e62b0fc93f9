"""Many order lines on a real Odoo: one made by RPC, copied in its database, and taken out again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from odoo_gateway.client import OdooClient

LINE = "sale.order.line"
ORDERS = 200  # odoo.md: no order collects lines for ever
_OWN = ("id", "order_id", "name", "x_fc_line_key", "write_date")
_COPY = """
with made as (
    insert into sale_order_line (order_id, name, x_fc_line_key, write_date, {columns})
    select (%(orders)s::int[])[1 + n %% cardinality(%(orders)s::int[])], name || ' ' || n,
        %(mark)s || n, write_date - interval '1 hour', {columns}
    from sale_order_line, generate_series(1, %(count)s::int) as n
    where id = %(line)s
    returning id
)
insert into account_tax_sale_order_line_rel (sale_order_line_id, account_tax_id)
select made.id, tax.account_tax_id
from made, account_tax_sale_order_line_rel as tax
where tax.sale_order_line_id = %(line)s
"""


@contextmanager
def order_lines(client: OdooClient, database_url: str, count: int) -> Iterator[None]:
    """`count` usage lines, written an hour ago, on 200 orders of their own; gone afterwards.

    Copied by SQL at `database_url`, which is Odoo's own database: by RPC they take half an hour.
    """
    mark = f"bench-{uuid.uuid4().hex[:8]}-"
    (partner,) = client.create("res.partner", [{"name": mark}])
    usage = {"name": mark, "type": "service", "invoice_policy": "delivery"}
    (product,) = client.create("product.product", [usage])
    orders = client.create(
        "sale.order",
        [{"partner_id": partner, "x_fc_external_id": f"{mark}{n}"} for n in range(ORDERS)],
    )
    values = {"order_id": orders[0], "product_id": product, "product_uom_qty": 0}
    (line,) = client.create(LINE, [{**values, "qty_delivered": 3.5, "price_unit": 0.12}])
    with psycopg.connect(database_url, autocommit=True) as odoo:
        try:
            parameters = {"orders": orders, "mark": mark, "count": count, "line": line}
            odoo.execute(sql.SQL(_COPY).format(columns=_other_columns(odoo)), parameters)
            odoo.execute("analyze sale_order_line")
            yield
        finally:
            odoo.execute("delete from sale_order_line where order_id = any(%s)", (orders,))
            odoo.execute("analyze sale_order_line")
            client.call("sale.order", "unlink", orders)
            client.call("product.product", "unlink", [product])
            client.call("res.partner", "unlink", [partner])


def _other_columns(odoo: psycopg.Connection) -> sql.Composed:
    rows = odoo.execute(
        "select column_name from information_schema.columns"
        " where table_name = 'sale_order_line' and not column_name = any(%s)",
        (list(_OWN),),
    )
    return sql.SQL(", ").join(sql.Identifier(name) for (name,) in rows)
