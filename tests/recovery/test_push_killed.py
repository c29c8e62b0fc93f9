"""The push, killed with SIGKILL at random moments and at every call to Odoo, and run again: every
line once, to the cent. On the double, and on the real Odoo that ODOO_TEST_URL names."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal

import pushing_process
import pytest
from marts import Row, start_afresh
from odoo_world import Server
from pushing import OdooWorld, bill_lines, due, pushed
from pushing_process import Death
from servers import MAKERS, choices
from sqlalchemy.engine import Engine

from exports.usage_lines import PushBusyError, push
from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import Record
from warehouse.settings import OdooTransport

pytestmark = pytest.mark.odoo_real
QUICK, SLOW = range(14), range(14, 114)
ON_A_REAL_SERVER = range(20)
KILLS = 3  # at most, a seed
LINES = 60
FEW_LINES = 12
SECONDS = 120  # that a push may take here, at most


@pytest.fixture(scope="module", params=choices(*OdooTransport), ids="-".join)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    where, transport = request.param
    with MAKERS[where](transport) as server:
        bootstrap(server.connect())
        yield server


@pytest.fixture(scope="module")
def world(server: Server) -> OdooWorld:
    return OdooWorld.make(server.connect())


def _ledger(engine: Engine, world: OdooWorld, dice: random.Random, count: int = LINES) -> list[Row]:
    """Lines on seven orders: tiny prices, credits, whole quantities."""
    orders = world.orders(7)
    prices = ("0.12", "0.085", "0.0023", "9.00")
    lines = [
        due(
            dice.choice(orders),
            f"{dice.randint(-500, 5000) / 4}",
            dice.choice(prices),
            reason=dice.choice(("period", "late_usage", "correction")),
        )
        for _ in range(count)
    ]
    return bill_lines(engine, world, *lines)


def _kill_after(seconds: float, url: str, server: Server) -> bool:
    """Starts a push and kills it so long after it began; whether it was still running."""
    process, pipe = pushing_process.start(url, server)
    assert pipe.poll(SECONDS), "the push did not start"
    assert pipe.recv() == "ready"
    process.join(seconds)
    process.kill()
    process.join(SECONDS)
    assert process.exitcode in (0, -signal.SIGKILL), "the push failed by itself"
    return process.exitcode != 0


def _push_to_the_end(engine: Engine, world: OdooWorld) -> None:
    """The dead push gives its lock back when PostgreSQL notices that it is gone. Odoo goes on with
    what it was asked for: a line may stand that was not there a moment ago."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            push(engine, world.client, database="here")
            return
        except PushBusyError:
            assert time.monotonic() < deadline, "the lock of the killed push was never given back"


def _totals(records: list[Record]) -> dict[int, Decimal]:
    """What Odoo will invoice by order: each line to the cent."""
    totals: dict[int, Decimal] = defaultdict(Decimal)
    for record in records:
        product = Decimal(str(record["qty_delivered"])) * Decimal(str(record["price_unit"]))
        totals[record["order_id"]] += product.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return totals


def _assert_each_stands_once(
    engine: Engine, world: OdooWorld, lines: Sequence[Row], told: str
) -> None:
    standing = world.lines(*sorted({line["odoo_order_id"] for line in lines}))
    assert Counter(record["x_fc_line_key"] for record in standing) == Counter(
        line["line_key"] for line in lines
    ), told
    wanted: dict[int, Decimal] = defaultdict(Decimal)
    for line in lines:
        wanted[line["odoo_order_id"]] += line["amount"]
    assert _totals(standing) == wanted, told
    states = Counter(row["state"] for row in pushed(engine).values())
    assert states == {"verified": len(lines)}, told


def _undisturbed(engine: Engine, url: str, server: Server, world: OdooWorld, count: int) -> int:
    """The calls that a push of so many lines makes."""
    start_afresh(engine)
    _ledger(engine, world, random.Random("undisturbed"), count)
    process, pipe = pushing_process.start(url, server)
    assert pipe.poll(SECONDS), "the push did not start"
    assert pipe.recv() == "ready"
    assert pipe.poll(SECONDS), "the push did not end"
    calls = pipe.recv()
    process.join(SECONDS)
    assert process.exitcode == 0
    return int(calls)


def _killed_at_random(
    engine: Engine, url: str, server: Server, world: OdooWorld, seeds: Sequence[int]
) -> None:
    kills = halfway = 0
    began = time.monotonic()
    _undisturbed(engine, url, server, world, LINES)
    takes = time.monotonic() - began
    for seed in seeds:
        print(f"seed {seed}")
        dice = random.Random(seed)
        start_afresh(engine)
        lines = _ledger(engine, world, dice)
        orders = sorted({line["odoo_order_id"] for line in lines})
        for _ in range(KILLS):
            if not _kill_after(dice.uniform(0, takes), url, server):
                takes *= 0.7  # the machine has more time for us than when it was measured
                break
            kills += 1
            halfway += 0 < len(world.lines(*orders)) < LINES
        _push_to_the_end(engine, world)
        _assert_each_stands_once(engine, world, lines, f"seed {seed}")
    print(f"{kills} kills, {halfway} of them halfway; an undisturbed push takes {takes:.2f} s")
    assert kills >= len(seeds), "the kills came too late to test anything"
    assert halfway >= 3, "no kill came between two batches"


def test_a_push_killed_at_random_bills_every_line_once(
    engine: Engine, database_url: str, server: Server, world: OdooWorld
) -> None:
    if server.real:
        pytest.skip("the slow suite has it")
    _killed_at_random(engine, database_url, server, world, QUICK)


@pytest.mark.slow
def test_a_push_killed_at_many_random_moments_bills_every_line_once(
    engine: Engine, database_url: str, server: Server, world: OdooWorld
) -> None:
    seeds = ON_A_REAL_SERVER if server.real else SLOW
    _killed_at_random(engine, database_url, server, world, seeds)


def _killed_at_calls(
    engine: Engine, url: str, server: Server, world: OdooWorld, deaths: Sequence[Death]
) -> None:
    for death in deaths:
        start_afresh(engine)
        lines = _ledger(engine, world, random.Random(str(death)), FEW_LINES)
        process, _ = pushing_process.start(url, server, death)
        process.join(SECONDS)
        assert process.exitcode == -signal.SIGKILL, death
        _push_to_the_end(engine, world)
        _assert_each_stands_once(engine, world, lines, str(death))


def _deaths(engine: Engine, url: str, server: Server, world: OdooWorld) -> list[Death]:
    calls = _undisturbed(engine, url, server, world, FEW_LINES)
    return [Death(call, after) for call in range(1, calls + 1) for after in (False, True)]


def test_a_push_killed_at_a_call_bills_every_line_once(
    engine: Engine, database_url: str, server: Server, world: OdooWorld
) -> None:
    """A few of the calls, other ones on each day of the week; the slow suite has them all."""
    deaths = _deaths(engine, database_url, server, world)
    few = random.Random(time.strftime("%a")).sample(deaths, 3 if server.real else 8)
    _killed_at_calls(engine, database_url, server, world, few)


@pytest.mark.slow
def test_a_push_killed_at_any_call_bills_every_line_once(
    engine: Engine, database_url: str, server: Server, world: OdooWorld
) -> None:
    deaths = _deaths(engine, database_url, server, world)
    _killed_at_calls(engine, database_url, server, world, deaths)
