"""The push, killed with SIGKILL at random moments and run again: every line once, to the cent."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal

import pushing_process
import pytest
from marts import Row, start_afresh
from pushing import OdooWorld, bill_lines, bootstrapped_double, due, log_in, pushed
from sqlalchemy.engine import Engine

from exports.usage_lines import PushBusyError, push
from odoo_gateway.client import Record

SEEDS = range(14)
KILLS = 3  # at most, a seed
LINES = 60


@pytest.fixture(scope="module")
def odoo_url() -> Iterator[str]:
    with bootstrapped_double() as url:
        yield url


@pytest.fixture(scope="module")
def world(odoo_url: str) -> OdooWorld:
    return OdooWorld.make(log_in(odoo_url))


def _ledger(engine: Engine, world: OdooWorld, dice: random.Random) -> list[Row]:
    """Sixty lines on seven orders: tiny prices, credits, whole quantities."""
    orders = world.orders(7)
    prices = ("0.12", "0.085", "0.0023", "9.00")
    lines = [
        due(
            dice.choice(orders),
            f"{dice.randint(-500, 5000) / 4}",
            dice.choice(prices),
            reason=dice.choice(("period", "late_usage", "correction")),
        )
        for _ in range(LINES)
    ]
    return bill_lines(engine, world, *lines)


def _kill_after(seconds: float, url: str, odoo_url: str) -> bool:
    """Starts a push and kills it so long after it began; whether it was still running."""
    process, pipe = pushing_process.start(url, odoo_url)
    assert pipe.poll(30), "the push did not start"
    assert pipe.recv() == "ready"
    process.join(seconds)
    process.kill()
    process.join(30)
    assert process.exitcode in (0, -signal.SIGKILL), "the push failed by itself"
    return process.exitcode != 0


def _push_to_the_end(engine: Engine, world: OdooWorld) -> None:
    """The dead push gives its lock back when PostgreSQL notices that it is gone."""
    deadline = time.monotonic() + 30
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


def _undisturbed(engine: Engine, url: str, odoo_url: str, world: OdooWorld) -> float:
    """Seconds that a push of so many lines takes here, today."""
    start_afresh(engine)
    _ledger(engine, world, random.Random("undisturbed"))
    process, pipe = pushing_process.start(url, odoo_url)
    assert pipe.poll(30), "the push did not start"
    began = time.monotonic()
    process.join(30)
    assert process.exitcode == 0
    return time.monotonic() - began


def test_a_push_killed_at_random_bills_every_line_once(
    engine: Engine, database_url: str, odoo_url: str, world: OdooWorld
) -> None:
    kills = halfway = 0
    takes = _undisturbed(engine, database_url, odoo_url, world)
    for seed in SEEDS:
        print(f"seed {seed}")
        dice = random.Random(seed)
        start_afresh(engine)
        lines = _ledger(engine, world, dice)
        orders = sorted({line["odoo_order_id"] for line in lines})
        for _ in range(KILLS):
            if not _kill_after(dice.uniform(0, takes), database_url, odoo_url):
                takes *= 0.7  # the machine has more time for us than when it was measured
                break
            kills += 1
            halfway += 0 < len(world.lines(*orders)) < LINES
        _push_to_the_end(engine, world)

        standing = world.lines(*orders)
        assert Counter(record["x_fc_line_key"] for record in standing) == Counter(
            line["line_key"] for line in lines
        ), f"seed {seed}"
        wanted: dict[int, Decimal] = defaultdict(Decimal)
        for line in lines:
            wanted[line["odoo_order_id"]] += line["amount"]
        assert _totals(standing) == wanted, f"seed {seed}"
        states = Counter(row["state"] for row in pushed(engine).values())
        assert states == {"verified": LINES}, f"seed {seed}"
    print(f"{kills} kills, {halfway} of them halfway; an undisturbed push takes {takes:.2f} s")
    assert kills >= len(SEEDS), "the kills came too late to test anything"
    assert halfway >= 3, "no kill came between two batches"
