"""Endpoint and PostgreSQL, killed with SIGKILL at random moments under load; connections dropped.

Acknowledged is stored, stored is stored once, and a client that repeats what failed ends with
exactly one row a counter. A seed fixes who sends what, what is killed and after which pauses; the
threads' interleaving it cannot fix, so a failing seed may take some repetitions to fail again.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import psycopg
import pytest
from ingest_clients import Log, storming, units, until_answered
from ingest_machine import Machine, pause, running_machine

QUICK_SEEDS = range(20)
SLOW_SEEDS = range(20, 220)
DEATHS = (
    "kill_worker",
    "kill_postgres",
    "kill_endpoint",
    "kill_backend",
    "kill_supervisor",
    "kill_everything",
)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with running_machine() as machine:
        yield machine
        print(f"kills: {dict(machine.kills)}; the endpoint gave up {machine.gave_up} times")


@pytest.mark.parametrize(
    "seed",
    [*QUICK_SEEDS, *(pytest.param(seed, marks=pytest.mark.slow) for seed in SLOW_SEEDS)],
)
def test_acknowledged_is_stored_once_whatever_dies(machine: Machine, seed: int) -> None:
    print(f"seed {seed}: python -m pytest -m '' '{__file__}::{_NAME}[{seed}]'")
    machine.heal()
    service = f"storm{seed}"
    key = machine.key_of_new_service(service)
    dice = random.Random(seed)
    log = Log()
    kills, before = machine.kills.total(), machine.unexpected()
    deaths = [DEATHS[seed % len(DEATHS)], *dice.choices(DEATHS, k=dice.choice((0, 0, 1)))]
    dice.shuffle(deaths)
    with storming(machine.port, key, log, seed) as enough:
        for death in deaths:
            until_answered(log)
            pause(dice.uniform(0, 0.4))
            print(death)
            getattr(machine, death)()
            pause(dice.uniform(0, 0.2))
            machine.heal()
            acknowledged = log.snapshot()
            lost = acknowledged - set(_stored(machine, service))
            assert not lost, f"{len(lost)} acknowledged items are gone, as {sorted(lost)[:5]}"
        enough.set()
    print(dict(log.answers))
    assert machine.unexpected() == before
    assert set(filter(str.isdigit, log.answers)) <= {"200", "503"}
    assert machine.kills.total() > kills

    stored = _stored(machine, service)
    assert log.acknowledged == log.sent
    assert Counter(stored) == Counter(log.sent)
    assert log.accepted <= len(stored), "some rows were called new more than once"
    assert _totals(machine, service) == (
        sum((units(one) for one in log.sent if one.startswith("c")), Decimal()),
        sum((units(one) for one in log.sent if one.startswith("e")), Decimal()),
    )
    assert _batches_that_lie(machine, service) == []


_NAME = test_acknowledged_is_stored_once_whatever_dies.__name__


def _stored(machine: Machine, service: str) -> list[str]:
    """The transaction ids of the service's rows, read from the heap: an index may be at fault."""
    with psycopg.connect(machine.database_url) as connection:
        connection.execute("set enable_indexscan = off; set enable_indexonlyscan = off")
        rows = connection.execute(
            "select transaction_id from raw.usage_counter where service_code = %s", [service]
        )
        return [transaction_id for (transaction_id,) in rows]


def _totals(machine: Machine, service: str) -> tuple[Decimal, Decimal]:
    """What the service's counters sum to, and its events."""
    with psycopg.connect(machine.database_url) as connection:
        row = connection.execute(
            """
            select coalesce(sum(value), 0), coalesce(sum((properties ->> 'units')::numeric), 0)
            from raw.usage_counter
            where service_code = %s
            """,
            [service],
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def _batches_that_lie(machine: Machine, service: str) -> list[tuple[int, int | None, int | None]]:
    """Batches whose count is not that of the rows that carry them, and rows without a batch."""
    with psycopg.connect(machine.database_url) as connection:
        return connection.execute(
            """
            with carried as (
                select batch_id, count(*)::int as counters
                from raw.usage_counter
                where service_code = %(service)s
                group by batch_id
            ),

            told as (
                select batch_id, counters
                from raw.ingest_batch
                where service_code = %(service)s
            )

            select batch_id, told.counters, carried.counters
            from told
            full outer join carried using (batch_id)
            where told.counters is distinct from carried.counters
            """,
            {"service": service},
        ).fetchall()
