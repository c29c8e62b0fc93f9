"""The push of a dual run, killed with SIGKILL at calls to Odoo, over a line that loses answers, and
run again: one draft per subscription and period, every line on it once, to the cent, and nothing on
an order. On the double, and on the real Odoo that ODOO_TEST_URL names."""

from __future__ import annotations

import dataclasses
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import pushing_process
import pytest
from bad_line import bad_line
from marts import Row, start_afresh
from odoo_world import Server
from pushing import OdooWorld, bill_lines, decided, due, pushed
from pushing_process import Death
from servers import MAKERS, choices
from sqlalchemy.engine import Engine
from test_push_killed import SECONDS, _push_to_the_end

from exports import usage_lines
from exports.cutover import drafts
from exports.usage_lines import push
from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.errors import OdooTransientError
from warehouse.settings import OdooTransport

pytestmark = pytest.mark.odoo_real
LINES = 12
PUSHES = 60  # over the bad line, at most


@pytest.fixture(scope="module", params=choices(*OdooTransport), ids="-".join)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    where, transport = request.param
    with MAKERS[where](transport) as server:
        bootstrap(server.connect())
        yield server


@pytest.fixture(scope="module")
def world(server: Server) -> OdooWorld:
    return OdooWorld.make(server.connect())


def _ledger(engine: Engine, world: OdooWorld, seed: str) -> list[Row]:
    """Twelve lines of a dual run on five subscriptions: tiny prices, credits, whole quantities."""
    start_afresh(engine)
    decided(engine, "dual_run")
    dice = random.Random(seed)
    orders = world.orders(5)
    prices = ("0.12", "0.085", "0.0023", "9.00")
    lines = [
        due(
            orders[number % 5],
            f"{dice.randint(-500, 5000) / 4}",
            dice.choice(prices),
            key=f"{orders[number % 5]}",
            charge=f"cloud_s/metric_{number}",
            reason=dice.choice(("period", "late_usage", "correction")),
        )
        for number in range(LINES)
    ]
    return bill_lines(engine, world, *lines)


def _assert_each_is_drafted_once(
    engine: Engine, world: OdooWorld, lines: Sequence[Row], told: str
) -> None:
    keys = sorted({drafts.key_of(line) for line in lines})
    found = world.client.search_read(
        "sale.order", [("x_fc_dual_run_key", "in", keys)], ["x_fc_dual_run_key", "state"]
    )
    assert sorted(row["x_fc_dual_run_key"] for row in found) == keys, told
    assert {row["state"] for row in found} == {"draft"}, told
    key_of = {row["id"]: row["x_fc_dual_run_key"] for row in found}
    standing = world.client.search_read(
        "sale.order.line",
        [("x_fc_line_key", "in", [line["line_key"] for line in lines])],
        ["x_fc_line_key", "order_id", "price_subtotal", "qty_delivered"],
    )
    amounts = {
        row["x_fc_line_key"]: (key_of.get(row["order_id"]), row["price_subtotal"])
        for row in standing
    }
    assert len(standing) == len(lines), told
    assert amounts == {
        line["line_key"]: (drafts.key_of(line), float(line["amount"])) for line in lines
    }, told
    assert {row["qty_delivered"] for row in standing} == {0.0}, told
    assert world.lines(*sorted({line["odoo_order_id"] for line in lines})) == [], told
    states = Counter(row["state"] for row in pushed(engine).values())
    assert states == {"drafted": len(lines)}, told


def _killed_at(
    engine: Engine, url: str, server: Server, world: OdooWorld, deaths: Sequence[Death]
) -> None:
    for death in deaths:
        lines = _ledger(engine, world, str(death))
        process, _ = pushing_process.start(url, server, death)
        process.join(SECONDS)
        assert process.exitcode == -signal.SIGKILL, death
        _push_to_the_end(engine, world)
        _assert_each_is_drafted_once(engine, world, lines, str(death))


def _deaths(engine: Engine, url: str, server: Server, world: OdooWorld) -> list[Death]:
    """Before and after each call that an undisturbed push makes."""
    _ledger(engine, world, "undisturbed")
    process, pipe = pushing_process.start(url, server)
    assert pipe.poll(SECONDS), "the push did not start"
    assert pipe.recv() == "ready"
    assert pipe.poll(SECONDS), "the push did not end"
    calls = int(pipe.recv())
    process.join(SECONDS)
    assert process.exitcode == 0
    return [Death(call, after) for call in range(1, calls + 1) for after in (False, True)]


def test_a_dual_run_killed_at_a_call_drafts_every_line_once(
    engine: Engine, database_url: str, server: Server, world: OdooWorld
) -> None:
    """A few of the calls, other ones on each day of the week; the slow suite has them all."""
    deaths = _deaths(engine, database_url, server, world)
    few = random.Random(time.strftime("%a")).sample(deaths, 3 if server.real else 8)
    _killed_at(engine, database_url, server, world, few)


@pytest.mark.slow
def test_a_dual_run_killed_at_any_call_drafts_every_line_once(
    engine: Engine, database_url: str, server: Server, world: OdooWorld
) -> None:
    deaths = _deaths(engine, database_url, server, world)
    _killed_at(engine, database_url, server, world, deaths)


def test_whatever_the_line_loses_each_line_is_drafted_once(
    engine: Engine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A third of all calls goes wrong, quotations' creation among them."""
    monkeypatch.setattr(usage_lines, "KEYS_PER_READ", 9)
    monkeypatch.setattr(usage_lines, "LINES_PER_CREATE", 3)
    monkeypatch.setattr(drafts, "QUOTATIONS_PER_CREATE", 2)
    world = OdooWorld.make(server.connect())
    ended = 0
    for seed in range(4):
        lines = _ledger(engine, world, f"bad line {seed}")
        with bad_line(server.url, seed) as (proxy, url):
            client = dataclasses.replace(server, url=url).connect()
            proxy.share = 0.3
            for _ in range(PUSHES):
                try:
                    result = push(engine, client, database="here")
                except OdooTransientError:
                    ended += 1
                    continue
                if result.pending == result.drafted:
                    break
        # What an answer was lost of may have been refused for a moment; a good line settles it.
        push(engine, world.client, database="here")
        _assert_each_is_drafted_once(engine, world, lines, f"seed {seed}")
    assert ended, "no push ended early: the line is too good"
