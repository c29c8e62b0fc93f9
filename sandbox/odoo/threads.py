"""Mail threads, as far as a client can silence them: what a record's `message_ids` collects.

Measured on Odoo 19: `tracking_disable` silences all but the notes on lines, which
`sale_no_log_for_new_lines` does; a new total is noted whatever the context says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sandbox.odoo.fields import Field, Row

if TYPE_CHECKING:
    from sandbox.odoo.environment import Environment

MESSAGE = "mail.message"
CREATED = {"res.partner": "Contact created", "sale.order": "Sales Order created"}
TRACKED = {
    "res.partner": {"city", "country_id", "email", "name", "phone", "street", "vat", "zip"},
    "sale.order": {"locked", "partner_id", "state"},
}

MODELS: dict[str, dict[str, Field]] = {
    MESSAGE: {
        "model": Field(label="Related Document Model"),
        "res_id": Field("many2one_reference", "Related Document ID"),
        "body": Field("html", "Contents"),
        "message_type": Field("selection", "Type", default="notification"),
    },
}


def _messages(env: Environment, model: str, number: int) -> list[int]:
    """Newest first."""
    rows = env.store.rows(MESSAGE)
    return [
        each
        for each in sorted(rows, reverse=True)
        if (rows[each]["model"], rows[each]["res_id"]) == (model, number)
    ]


THREAD = Field("one2many", "Messages", relation=MESSAGE, compute=_messages)


def created(env: Environment, model: str, number: int) -> None:
    if model not in CREATED:
        return
    if model == "sale.order":
        env.totals_told.add(number)
    if not (env.context.get("tracking_disable") or env.context.get("mail_create_nolog")):
        _post(env, model, number, f"<p>{CREATED[model]}</p>")


def changed(env: Environment, model: str, old: Row, values: Mapping[str, Any]) -> None:
    """One message for all tracked fields of a write."""
    if env.context.get("tracking_disable") or env.context.get("mail_notrack"):
        return
    tracked = TRACKED.get(model, set()) & set(values)
    if any((old.get(name) or False) != (values[name] or False) for name in tracked):
        _post(env, model, old["id"], "")


def lines_added(env: Environment, rows: Iterable[Row]) -> None:
    """To confirmed orders."""
    if env.context.get("sale_no_log_for_new_lines"):
        return
    for row in rows:
        order, product = row["order_id"], row.get("product_id")
        if product and env.value("sale.order", order, "state") == "sale":
            name = env.display_name("product.product", product)
            _post(env, "sale.order", order, f"<p>Extra line with {name}</p>")


def total_changed(env: Environment, order: int) -> None:
    """Once a call, and not for the call that makes the order."""
    if order not in env.totals_told:
        env.totals_told.add(order)
        _post(env, "sale.order", order, "")


def _post(env: Environment, model: str, number: int, body: str) -> None:
    env.create(MESSAGE, [{"model": model, "res_id": number, "body": body}])
