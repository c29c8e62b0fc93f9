"""A pass over the commands, killed with SIGKILL before and after every call that it makes to Odoo,
and run again: one partner, one link, one order a plan, whatever the moment."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import applying_process
import pytest
import sqlalchemy as sa
from pushing import bootstrapped_double, log_in
from sqlalchemy.engine import Engine

from exports.commands.outcomes import ApplyBusyError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "contract"))

from asking import NOON, Asking
from odoo_world import World

MOST_CALLS = 80  # a pass makes fewer: the loop ends when one lived through


@pytest.fixture(scope="module")
def odoo_url() -> Iterator[str]:
    with bootstrapped_double() as url:
        yield url


@pytest.fixture(scope="module")
def world(odoo_url: str) -> World:
    return World(log_in(odoo_url))


def _killed(database_url: str, odoo_url: str, call: int, *, answered: bool) -> bool:
    """Whether the pass died at that call; False where it made fewer and ended by itself."""
    process = applying_process.start(database_url, odoo_url, call, answered=answered)
    process.join(60)
    assert process.exitcode in (0, -signal.SIGKILL), f"call {call}: the pass failed by itself"
    return process.exitcode != 0


def _apply_to_the_end(asking: Asking) -> None:
    """The dead pass gives its lock back when PostgreSQL notices that it is gone."""
    deadline = time.monotonic() + 30
    while True:
        try:
            asking.apply()
            return
        except ApplyBusyError:
            assert time.monotonic() < deadline, "the lock of the killed pass was never given back"


@pytest.mark.parametrize("answered", [False, True], ids=["before a call", "after its answer"])
def test_killed_at_every_call(
    engine: Engine, database_url: str, odoo_url: str, world: World, answered: bool
) -> None:
    kills = 0
    small = Asking(engine, world).plan(19.0)
    large = Asking(engine, world).plan(49.0)
    for call in range(1, MOST_CALLS):
        with engine.begin() as connection:
            connection.execute(sa.text("truncate raw.command, ops.command_state"))
        asking = Asking(engine, world)
        # Without VAT and e-mail, so that nothing but its key tells the partner.
        asking.customer(name="Maple", city="Toronto")
        asking.subscription(small, at=NOON - timedelta(days=9))
        asking.subscription(large)
        asking.subscription(small, sub="ends", at=NOON - timedelta(days=9))
        asking.termination(sub="ends")
        lived = not _killed(database_url, odoo_url, call, answered=answered)
        kills += not lived
        _apply_to_the_end(asking)

        named = f"killed at call {call}"
        partners = asking.client.search_read(
            "res.partner", [("x_fc_account_key", "=", f"nexacloud:{asking.account}")], ["city"]
        )
        assert [partner["city"] for partner in partners] == ["Toronto"], named
        assert [link["x_partner_id"] for link in asking.links()] == [partners[0]["id"]], named
        orders = [
            (order["x_fc_plan_code"], order["state"], order["start_date"], order["end_date"])
            for order in asking.orders()
        ]
        assert orders == [
            (small, "sale", "2026-09-06", "2026-09-14"),
            (large, "sale", "2026-09-15", False),
        ], named
        (ended,) = asking.orders("ends")
        assert (ended["state"], ended["end_date"]) == ("sale", "2026-09-15"), named
        with engine.connect() as connection:
            states = connection.execute(
                sa.text("select state from ops.command_state order by command_id")
            ).scalars()
            assert list(states) == ["applied"] * 5, named
        if lived:
            break
    print(f"{kills} kills")
    assert lived, "the pass makes more calls than were tried"
    assert kills > 25
