"""Plants the irregularities of the demo: in usage, and between the old apps' bills and ours."""

from __future__ import annotations

from dataclasses import replace

from sandbox.model import Account, World
from sandbox.planted_billing import billing_cases, prorated_cases, unlinked_cases
from sandbox.planted_usage import usage_cases
from sandbox.planter import Planter


def plant(world: World) -> World:
    """The same world with its irregularities. Raises ValueError where there is no room for one."""
    planter = Planter(world)
    found = usage_cases(planter)
    planted = [case for case, _, _ in found]
    held = {key for _, keys, _ in found for key in keys}
    extra = [counter for _, _, counters in found for counter in counters]
    planted += billing_cases(planter)
    planted += unlinked_cases(planter)
    planted += prorated_cases(planter)
    unlinked = {(p.service_code, p.external_account_id) for p in planted if p.kind == "no_link"}
    return replace(
        world,
        accounts=tuple(
            Account(a.service_code, a.external_id, a.client_code, linked=False)
            if (a.service_code, a.external_id) in unlinked
            else a
            for a in world.accounts
        ),
        planted=tuple(planted),
        held_back=frozenset(held),
        extra=tuple(extra),
    )
