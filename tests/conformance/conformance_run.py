"""Runs test vectors through the real models: `make conformance [VECTORS=file]`.

Prints `id: pass|fail expected got` per vector (`id: exception expected got (reason)` where it is
listed in exceptions.json) and `N passed, M failed` last. Exit status 1 when a vector failed, 2 when
the file is none of vectors.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from decimal import localcontext
from pathlib import Path

import api_vectors
import httpx
import psycopg
import rated_cases
from aggregation_vectors import aggregation_trial, rounding_trial
from charge_vectors import charge_trial, tier_trial
from commitment_vectors import commitment_trial, subscription_trial, true_up_trial
from filter_vectors import filter_trial
from listed_exceptions import Exceptions, listed
from outcomes import Outcome, report
from readings import Reading
from scenario_vectors import scenario_trial
from sqlalchemy.engine import make_url
from trials import Case, Trial
from vectors import Vector, VectorError, VectorFileError, load

from warehouse.embedded import embedded_server
from warehouse.engine import make_engine
from warehouse.migrate import migrate

DEFAULT = Path(__file__).with_name("lago_vectors.json")
TRIALS: dict[str, Callable[[Vector], Trial]] = {
    "charge_model": charge_trial,
    "charge_model_tier": tier_trial,
    "aggregation": aggregation_trial,
    "rounding": rounding_trial,
    "scenario": scenario_trial,
    "true_up": true_up_trial,
    "min_commitment": commitment_trial,
    "subscription_proration": subscription_trial,
    "filter": filter_trial,
}
API = "api_contract"
# What code meets where a vector has another shape than those it was written for.
MALFORMED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


class Warehouse:
    """One database on the server, made anew for each build."""

    NAME = "conformance"

    def __init__(self, server_url: str, folder: Path) -> None:
        self.server_url, self.folder = server_url, folder
        self.is_built = False

    @property
    def url(self) -> str:
        return make_url(self.server_url).set(database=self.NAME).render_as_string(False)

    def rate(
        self,
        cases: Sequence[Case],
        customers: Sequence[tuple[str, str]] = (),
        command: Sequence[str] = rated_cases.RATE,
    ) -> list[Reading]:
        """Rates the cases in a new database. Raises rated_cases.BuildError."""
        self.is_built = False
        self.drop()
        self._admin(f'create database "{self.NAME}"')
        engine = make_engine(self.url)
        migrate(engine)
        engine.dispose()
        readings = rated_cases.rate(self.url, self.folder, cases, customers, command)
        self.is_built = True
        return readings

    def drop(self) -> None:
        self._admin(f'drop database if exists "{self.NAME}" with (force)')

    def _admin(self, statement: str) -> None:
        with psycopg.connect(self.server_url, autocommit=True) as admin:
            admin.execute(statement)


def run(vectors: Sequence[Vector], server_url: str, folder: Path) -> list[Outcome]:
    """An outcome per vector, in order: all rated by one build, in a database made for it."""
    warehouse = Warehouse(server_url, folder)
    try:
        # Python's own 28 digits are fewer than PostgreSQL's.
        with localcontext(prec=1000):
            return _run(vectors, warehouse)
    finally:
        warehouse.drop()


def _run(vectors: Sequence[Vector], warehouse: Warehouse) -> list[Outcome]:
    exceptions = listed()
    outcomes: dict[int, Outcome] = {}
    trials: list[tuple[Vector, Trial]] = []
    calls = [vector for vector in vectors if vector.category == API]
    for vector in vectors:
        if vector.category == API:
            continue
        try:
            trials.append((vector, prepared(vector, exceptions)))
        except VectorError as error:
            outcomes[vector.position] = Outcome(vector.id, "fail", reason=str(error))
        except MALFORMED as error:
            reason = f"malformed: {type(error).__name__}: {error}"
            outcomes[vector.position] = Outcome(vector.id, "fail", reason=reason)
    customers = [
        (api_vectors.service_of(vector), customer)
        for vector in calls
        if (customer := api_vectors.customer_of(vector))
    ]
    for vector, trial, readings in _rated(trials, warehouse, customers):
        outcomes[vector.position] = (
            Outcome(vector.id, "fail", reason=f"it cannot be rated: {readings}")
            if isinstance(readings, str)
            else _judged(vector, trial, readings)
        )
    for vector, outcome in _called(calls, warehouse, customers):
        outcomes[vector.position] = outcome
    return [_excused(vector, exceptions, outcomes[vector.position]) for vector in vectors]


def prepared(vector: Vector, exceptions: Exceptions) -> Trial:
    """The vector made ready. Raises VectorError where a part of it cannot be run or compared."""
    if vector.category not in TRIALS:
        raise VectorError(f"unknown category: {vector.category}")
    if "\\u0000" in json.dumps(vector.record, default=str):
        raise VectorError("it holds the character U+0000, which no JSON column takes")
    trial = TRIALS[vector.category](vector)
    unread = vector.unread()
    for name in list(unread):
        if reason := exceptions.of_field(name):
            trial.not_compared[name] = reason
            unread.remove(name)
    if left_out := [name for name in unread if name.startswith("expected_")]:
        raise VectorError(f"not compared, meaning unknown: {', '.join(left_out)}")
    if unread:
        raise VectorError(f"unknown key: {', '.join(unread)}")
    if all(check.is_input for check in trial.checks):
        raise VectorError("it expects nothing that could be compared")
    return trial


def _rated(
    trials: Sequence[tuple[Vector, Trial]],
    warehouse: Warehouse,
    customers: Sequence[tuple[str, str]],
    *,
    sound: bool = False,
) -> Iterator[tuple[Vector, Trial, list[Reading] | str]]:
    """All trials from one build. Where that fails, halves of them, down to the one at fault."""
    # Vectors that ask different things of the same usage share it.
    cases = {repr(case): case for _, one in trials for case in one.cases}
    try:
        readings = dict(zip(cases, warehouse.rate(list(cases.values()), customers), strict=True))
    except rated_cases.BuildError as error:
        if len(trials) <= 1 or not (sound or _builds_without_vectors(warehouse)):
            yield from ((vector, trial, str(error)) for vector, trial in trials)
            return
        middle = len(trials) // 2
        for part in (trials[:middle], trials[middle:]):
            yield from _rated(part, warehouse, customers, sound=True)
        return
    for vector, trial in trials:
        yield vector, trial, [readings[repr(case)] for case in trial.cases]


def _builds_without_vectors(warehouse: Warehouse) -> bool:
    """Whether a failed build is some vector's doing, and not the models' own."""
    try:
        warehouse.rate([])
    except rated_cases.BuildError:
        return False
    warehouse.is_built = False
    return True


def _judged(vector: Vector, trial: Trial, readings: list[Reading]) -> Outcome:
    outcome = Outcome(vector.id, "pass", not_compared=trial.not_compared)
    for check in trial.checks:
        got = check.observe(readings)
        outcome.expected[check.name] = check.expected
        outcome.got[check.name] = got
        if not check.agrees(check.expected, got):
            outcome.verdict = "fail"
    if not all(reading.is_rated() for reading in readings):
        outcome.verdict, outcome.reason = "fail", "what was used has no line in fct_rated_lines"
    return outcome


def _called(
    calls: Sequence[Vector], warehouse: Warehouse, customers: Sequence[tuple[str, str]]
) -> Iterator[tuple[Vector, Outcome]]:
    if not calls:
        return
    if not warehouse.is_built:
        try:
            warehouse.rate([], customers)
        except rated_cases.BuildError as error:
            yield from ((one, Outcome(one.id, "fail", reason=str(error))) for one in calls)
            return
    with api_vectors.endpoint(warehouse.url, warehouse.folder) as client:
        for vector in calls:
            try:
                compared = api_vectors.answer(vector, client, warehouse.url)
                if unread := vector.unread():
                    raise VectorError(f"unknown key: {', '.join(unread)}")
                if not compared:
                    raise VectorError("it expects nothing that could be compared")
            except (VectorError, httpx.HTTPError, *MALFORMED) as error:
                yield vector, Outcome(vector.id, "fail", reason=str(error))
                continue
            agrees = all(agreed for _, _, _, agreed in compared)
            yield (
                vector,
                Outcome(
                    vector.id,
                    "pass" if agrees else "fail",
                    {name: wanted for name, wanted, _, _ in compared},
                    {name: seen for name, _, seen, _ in compared},
                ),
            )


def _excused(vector: Vector, exceptions: Exceptions, outcome: Outcome) -> Outcome:
    reason = exceptions.of_vector(vector, outcome.reason)
    if outcome.verdict == "fail" and reason:
        outcome.verdict, outcome.reason = "exception", reason
        if not outcome.expected:
            outcome.expected = {
                name: value for name, value in vector.record.items() if name.startswith("expected_")
            }
    return outcome


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT)
    chosen = parser.parse_args(arguments)
    try:
        vectors = load(chosen.file)
    except VectorFileError as error:
        print(error, file=sys.stderr)
        return 2
    with (
        tempfile.TemporaryDirectory(prefix="fusion-conformance-", ignore_cleanup_errors=True) as at,
        embedded_server(Path(at) / "postgres") as server,
    ):
        outcomes = run(vectors, server, Path(at))
    lines, status = report(outcomes)
    print("\n".join(lines))
    return status


if __name__ == "__main__":
    sys.exit(main())
