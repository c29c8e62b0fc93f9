"""Records made in Odoo exactly once, told apart by a key that a unique index guards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exports.push_problems import Problem, refusal
from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError, OdooTransientError

_Values = dict[str, Any]


def create_once(
    client: OdooClient, model: str, key: str, rows: Sequence[_Values], *, repeat: bool = True
) -> dict[str, Problem]:
    """Creates the records; returns problems by key. Whatever goes wrong, what stands in Odoo by now
    is left out. A batch that Odoo refuses is halved until the bad row stands alone: creation is
    all-or-nothing, so nothing is created twice. After a lost answer the rest is tried once more."""
    if not rows:
        return {}
    try:
        client.create(model, rows)
    except OdooTransientError:
        if not repeat:
            raise
        return create_once(client, model, key, _missing(client, model, key, rows), repeat=False)
    except OdooRefusedError as error:
        # A key may be there already: Odoo goes on with a call whose answer we gave up on.
        left = _missing(client, model, key, rows)
        if len(left) < len(rows):
            return create_once(client, model, key, left, repeat=repeat)
        if len(rows) == 1:
            return {rows[0][key]: refusal(error.name, str(error))}
        middle = len(rows) // 2
        return create_once(client, model, key, rows[:middle]) | create_once(
            client, model, key, rows[middle:]
        )
    return {}


def _missing(
    client: OdooClient, model: str, key: str, rows: Sequence[_Values]
) -> Sequence[_Values]:
    found = client.search_read(model, [(key, "in", [row[key] for row in rows])], [key])
    standing = {record[key] for record in found}
    return [row for row in rows if row[key] not in standing]
