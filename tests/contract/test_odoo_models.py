"""The double's models are Odoo's: same fields, same types; and the mirror's reads work on both."""

from __future__ import annotations

import pytest
from odoo_world import World

from ingest.odoo_mirror import BILLING, MASTER, Mirrored
from odoo_gateway.client import OdooClient
from sandbox.odoo.registry import PARTS

pytestmark = pytest.mark.odoo_real
MODELS = {name: fields for part in PARTS for name, fields in part.MODELS.items()}
ONLY_HERE = {
    # Odoo's own wizard keeps lines where the double keeps invoices.
    ("account.payment.register", "move_ids"),
    # Enterprise's accounting, which the stub addon of the real server does not stand for.
    ("account.move.line", "deferred_start_date"),
    ("account.move.line", "deferred_end_date"),
}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_fields_and_types(odoo: OdooClient, model: str) -> None:
    fields = odoo.fields_get(model)
    for name, described in MODELS[model].items():
        if (model, name) in ONLY_HERE:
            continue
        assert name in fields, f"{model}.{name}"
        assert fields[name]["type"] == described.type, f"{model}.{name}"
        assert fields[name].get("relation") == described.relation, f"{model}.{name}"


@pytest.mark.parametrize("mirrored", MASTER + BILLING, ids=lambda each: each.table)
def test_what_the_mirror_reads(odoo: OdooClient, world: World, mirrored: Mirrored) -> None:
    """Pages by id as the mirror does; every field comes with the type that fields_get tells."""
    order = world.order(plan_id=world.plan, x_fc_external_id=f"m-{id(mirrored)}")
    world.delivered(order, 1.0, 1)
    world.invoice(order)
    known = odoo.fields_get(mirrored.model)
    optional = [name for name in mirrored.enterprise_fields if name in known]
    fields = [*mirrored.fields, *optional, "write_date"]
    rows = odoo.search_read(
        mirrored.model, [*mirrored.domain, ("id", ">", 0)], fields, order="id", limit=5
    )
    types = {name: each["type"] for name, each in known.items()}
    kinds = {
        "float": (int, float),
        "monetary": (int, float),
        "integer": (int,),
        "many2one": (int, bool),
        "one2many": (list,),
        "many2many": (list,),
        "boolean": (bool,),
    }
    for row in rows:
        assert set(row) == {"id", *fields}
        for name in fields:
            value, kind = row[name], types[name]
            assert isinstance(value, kinds.get(kind, (str, bool))), (name, kind, value)
            assert value is not True or kind == "boolean", (name, kind, value)
