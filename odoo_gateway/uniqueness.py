"""Unique indexes on manual fields, through server actions.

Odoo has no RPC for a constraint on a manual field, but an administrator's server action may run
SQL (odoo.md: measured). Two actions stay in Odoo: one makes the indexes, one tells which exist.
"""

from __future__ import annotations

from odoo_gateway import schema
from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError
from odoo_gateway.steps import Step

SERVER_ACTION = "ir.actions.server"
# Any model that an administrator may write serves; an action must have one.
ACTION_MODEL = "sale.order.line"
MAKER = "Usage billing: make unique indexes"
LISTER = "Usage billing: list unique indexes"
LISTER_CODE = """env.cr.execute("SELECT indexname FROM pg_indexes"
               " WHERE indexname LIKE 'fusion_uq_%'")
action = {"type": "ir.actions.act_window_close",
          "infos": {"names": [row[0] for row in env.cr.fetchall()]}}
"""


def index_name(unique: schema.Unique) -> str:
    """Within PostgreSQL's 63 characters: the first column and the last tell them apart."""
    parts = (unique.columns[0], *(column for column, _unset in unique.optional[-1:]))
    return f"fusion_uq_{unique.table}_{'_'.join(parts)}"


def maker_code() -> str:
    statements = [
        *(f"DROP INDEX IF EXISTS {name}" for name in schema.RETIRED_INDEXES),
        *(_statement(unique) for unique in schema.UNIQUE_INDEXES),
    ]
    return "".join(f'env.cr.execute("{statement}")\n' for statement in statements)


def _statement(unique: schema.Unique) -> str:
    optional = [f"COALESCE({column}, {unset})" for column, unset in unique.optional]
    present = " AND ".join(f"{column} IS NOT NULL" for column in unique.columns)
    return (
        f"CREATE UNIQUE INDEX IF NOT EXISTS {index_name(unique)}"
        f" ON {unique.table} ({', '.join([*unique.columns, *optional])}) WHERE {present}"
    )


def unique_indexes(client: OdooClient, apply: bool) -> list[Step]:
    """Steps for the two actions and for every index that is missing. With `apply`, makes them."""
    rows = client.search_read(SERVER_ACTION, [("name", "in", [MAKER, LISTER])], ["name", "code"])
    present = {row["name"]: row for row in rows}
    steps = []
    for name, code in ((LISTER, LISTER_CODE), (MAKER, maker_code())):
        row = present.get(name)
        if row is None or str(row["code"]).strip() != code.strip():
            steps.append(Step("server action", name))
            if apply:
                _put(client, row["id"] if row else None, name, code)
    known = LISTER in present
    existing = set(_existing(client)) if known or apply else set()
    missing = [
        Step("unique index", f"{unique.table} ({', '.join(unique.names)})")
        for unique in schema.UNIQUE_INDEXES
        if index_name(unique) not in existing
    ]
    if apply and missing:
        _make(client)
    return steps + missing


def require_indexes(client: OdooClient) -> None:
    """OdooRefusedError where an index is missing: what rests on it could stand twice.

    Odoo shows server actions to administrators alone. For another user nothing is asked: bootstrap
    makes the indexes before anything else but what they are on, and `doctor` looks for them.
    """
    try:
        actions = client.search_read(SERVER_ACTION, [("name", "=", LISTER)], ["id"])
    except OdooRefusedError as error:
        if error.name.endswith("AccessError"):
            return
        raise
    existing = _names(client, actions[0]["id"]) if actions else []
    missing = [index_name(each) for each in schema.UNIQUE_INDEXES]
    missing = [name for name in missing if name not in existing]
    if missing:
        raise OdooRefusedError(
            f"Odoo lacks {len(missing)} of the unique indexes by which nothing is made twice"
            f" ({', '.join(missing[:2])}): run `fusion-billing odoo bootstrap`"
        )


def _put(client: OdooClient, number: int | None, name: str, code: str) -> None:
    if number is not None:
        client.write(SERVER_ACTION, [number], {"code": code})
        return
    (owner,) = client.search_read("ir.model", [("model", "=", ACTION_MODEL)], ["id"])
    values = {"name": name, "model_id": owner["id"], "state": "code", "code": code}
    client.create(SERVER_ACTION, [values])


def _existing(client: OdooClient) -> list[str]:
    """Names of our indexes in Odoo's database."""
    (action,) = client.search_read(SERVER_ACTION, [("name", "=", LISTER)], ["id"])
    return _names(client, action["id"])


def _names(client: OdooClient, lister: int) -> list[str]:
    names: list[str] = client.call(SERVER_ACTION, "run", [lister])["infos"]["names"]
    return names


def _make(client: OdooClient) -> None:
    try:
        (action,) = client.search_read(SERVER_ACTION, [("name", "=", MAKER)], ["id"])
        client.call(SERVER_ACTION, "run", [action["id"]])
    except OdooRefusedError as error:
        raise OdooRefusedError(
            f"Odoo could not make a unique index: {error}. Remove the rows that collide, then run"
            " `fusion-billing odoo bootstrap` again",
            name=error.name,
        ) from None
