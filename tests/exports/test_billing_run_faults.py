"""A billing run that breaks, and two at once: all or nothing, and the same ledger in the end."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from marts import OCTOBER, Marts, Row, ledger, rated, runs
from sqlalchemy.engine import Engine

from exports.billing_run import RunResult, bill
from warehouse.engine import make_engine
from warehouse.locks import BILLING_RUN, advisory_lock
from warehouse.settings import Settings

RUN_DATE = dt.date(2025, 11, 5)


class Killed(BaseException):
    """What a test throws into the run; nothing in the product catches it."""


@contextmanager
def killing(engine: Engine, moment: str, number: int) -> Iterator[None]:
    """Kills before or after the statement of this number, counted from 1."""
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            raise Killed

    sa.event.listen(engine, moment, count)
    try:
        yield
    finally:
        sa.event.remove(engine, moment, count)


@pytest.fixture
def prepared(marts: Marts, fresh: Engine, settings: Settings) -> Engine:
    """A ledger of two lines, and marts that ask for a correction, a void and a new line."""
    marts.build(rated(), rated("nexadesk:b", "desk_team/messages"))
    bill(fresh, settings, run_date=dt.date(2025, 10, 5))
    marts.build(rated(used="140"), rated(start=OCTOBER))
    return fresh


def _state(engine: Engine) -> tuple[list[Row], int]:
    return ledger(engine), len(runs(engine))


def test_a_run_killed_at_any_statement_leaves_all_or_nothing(
    prepared: Engine, settings: Settings
) -> None:
    """After each kill the ledger is untouched and the next run would write just the same lines;
    after all of them it does."""
    before = _state(prepared)
    wanted = bill(prepared, settings, run_date=RUN_DATE, dry_run=True)
    assert (wanted.lines, wanted.adjustments) == (3, 2)
    number, finished = 0, False
    while not finished:
        number += 1
        for moment in ("after_cursor_execute", "before_cursor_execute"):
            try:
                with killing(prepared, moment, number):
                    result = bill(prepared, settings, run_date=RUN_DATE)
            except Killed:
                assert _state(prepared) == before, f"{moment} {number}"
                again = bill(prepared, settings, run_date=RUN_DATE, dry_run=True)
                assert again == wanted, f"{moment} {number}"
            else:
                finished = True
                break
    assert number > 10  # statements, and the pass that finished
    assert result.lines_sha256 == wanted.lines_sha256
    assert _state(prepared)[1] == before[1] + 1
    assert len(ledger(prepared)) == 5


def test_a_run_killed_before_its_commit_leaves_nothing(
    prepared: Engine, settings: Settings
) -> None:
    before = _state(prepared)
    with pytest.raises(Killed), killing(prepared, "commit", 1):
        bill(prepared, settings, run_date=RUN_DATE)
    assert _state(prepared) == before


def _statements(engine: Engine, settings: Settings) -> int:
    """How many statements a run sends that writes; it is rolled back before it commits."""
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1

    sa.event.listen(engine, "before_cursor_execute", count)
    try:
        with pytest.raises(Killed), killing(engine, "commit", 1):
            bill(engine, settings, run_date=RUN_DATE)
    finally:
        sa.event.remove(engine, "before_cursor_execute", count)
    return seen


@pytest.mark.parametrize("moment", ["before_cursor_execute", "after_cursor_execute", "commit"])
def test_a_run_whose_database_goes_away_at_any_statement_leaves_nothing(
    prepared: Engine, database_url: str, settings: Settings, moment: str
) -> None:
    """The server ends the session before or after each statement in turn, and before the commit:
    nothing is left, no lock is held, and the next run writes it all."""
    admin = make_engine(database_url)
    before = _state(admin)
    last = 1 if moment == "commit" else _statements(prepared, settings)
    assert moment == "commit" or last >= 10
    for number in range(1, last + 1):
        with (
            _terminating(prepared, admin, moment, number),
            pytest.raises((sa.exc.OperationalError, sa.exc.InterfaceError)),
        ):
            bill(prepared, settings, run_date=RUN_DATE)
        assert _state(admin) == before, f"{moment} {number}"
    assert bill(prepared, settings, run_date=RUN_DATE).lines == 3
    admin.dispose()


@contextmanager
def _terminating(engine: Engine, admin: Engine, moment: str, number: int) -> Iterator[None]:
    """The server ends the session at its statement of this number, counted from 1."""
    seen = 0

    def terminate(connection: Any, *_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            pid = connection.connection.driver_connection.info.backend_pid
            with admin.connect() as other:
                ended = other.execute(
                    sa.text("select pg_terminate_backend(:pid, 5000)"), {"pid": pid}
                )
                assert ended.scalar_one()

    sa.event.listen(engine, moment, terminate)
    try:
        yield
    finally:
        sa.event.remove(engine, moment, terminate)


def test_two_runs_at_once_write_once(prepared: Engine, settings: Settings) -> None:
    """Both wait at the lock until it is free; whoever comes second finds nothing to write."""
    ready = threading.Barrier(3, timeout=20)

    def one() -> RunResult:
        ready.wait()
        return bill(prepared, settings, run_date=RUN_DATE)

    with ThreadPoolExecutor(2) as pool:
        with prepared.begin() as holder:
            advisory_lock(holder, BILLING_RUN)
            futures = [pool.submit(one) for _ in range(2)]
            ready.wait()
            _wait_for_waiters(holder, 2)
        results = [future.result(timeout=20) for future in futures]
    assert sorted((result.lines, result.run_id is None) for result in results) == [
        (0, True),
        (3, False),
    ]
    assert len(ledger(prepared)) == 5
    assert len(runs(prepared)) == 2


def _wait_for_waiters(connection: sa.Connection, wanted: int) -> None:
    """Returns once so many sessions of this database wait for an advisory lock."""
    deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=20)
    while dt.datetime.now(dt.UTC) < deadline:
        waiting = connection.execute(
            sa.text(
                "select count(*) from pg_locks where locktype = 'advisory' and not granted"
                " and database = (select oid from pg_database where datname = current_database())"
            )
        ).scalar_one()
        if waiting == wanted:
            return
    pytest.fail(f"no {wanted} runs came to wait at the lock")
