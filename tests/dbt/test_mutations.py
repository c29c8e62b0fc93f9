"""Something small that goes wrong in a model is noticed by a test of the dbt project: a row less, a
row twice, a boundary or a day moved. What no test can notice is listed, with its reason.

FUSION_MUTATION_SEED chooses the world, the rows and the quick sample. All mutants take about twenty
minutes and can be shared out: `python -m pytest -m slow -n 4 tests/dbt/test_mutations.py`; some of
them again: `-k int_usage_placed`."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from builds_start import MODELS
from mutation_bench import Bench
from mutation_equivalents import EQUIVALENT
from mutations import DROPPED, DUPLICATED, KINDS, Mutant, mutants, swapped, with_rows

SEED_VARIABLE = "FUSION_MUTATION_SEED"
SEED = int(os.environ.get(SEED_VARIABLE, "1"))
MUTANTS = mutants(SEED)
SAMPLED_OF_A_KIND = 2
AGGREGATIONS = {"sum", "count", "max", "last", "unique", "weighted_sum"}


def reason(mutant: Mutant) -> str | None:
    return EQUIVALENT.get((mutant.model, mutant.told or mutant.kind))


def sample() -> list[Mutant]:
    """Some of each kind, of models: a macro's are looked for in all that call it."""
    chance = random.Random(SEED)
    chosen: list[Mutant] = []
    for kind in KINDS:
        of_kind = [
            each
            for each in MUTANTS
            if each.kind == kind and each.unique_id.startswith("model.") and not reason(each)
        ]
        chosen += chance.sample(of_kind, SAMPLED_OF_A_KIND)
    return chosen


@pytest.fixture(scope="module")
def bench(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    bench = Bench(server_url, tmp_path_factory.mktemp("mutants"), f"mutants_{worker}", SEED)
    yield bench
    bench.close()


def assert_caught(bench: Bench, mutant: Mutant) -> None:
    verdict = bench.judge(mutant)
    again = f"Again: {SEED_VARIABLE}={SEED} python -m pytest {__file__} -k '{mutant.model}'"
    if reason(mutant):
        assert not verdict.is_caught, f"listed as equivalent, and noticed: {verdict.said}"
        assert not verdict.changed, f"listed as equivalent, and changed {verdict.changed}"
        return
    changed = ", ".join(verdict.changed) or "no row"
    assert verdict.is_caught, (
        f"seed {SEED}: {mutant.told or mutant.kind}: unnoticed; changed {changed}. {again}"
    )


def test_clean_world_passes_and_is_rich(bench: Bench) -> None:
    """A mutant is judged by what fails with it: nothing does without."""
    assert bench.refused == []
    row = bench.world.row
    buckets = "select array_agg(distinct bucket) from marts.fct_usage_conservation"
    assert set(row(buckets)[0]) == {
        "billed", "included", "free", "late", "superseded", "unattributed", "unpriced"
    }  # fmt: skip
    models = "select array_agg(distinct charge_model) from marts.fct_rated_lines"
    assert set(row(models)[0]) == {*MODELS, "dynamic", "true_up", "minimum_commitment"}
    aggregations = (
        "select array_agg(distinct charges.aggregation) from intermediate.int_charge_usage"
        " inner join intermediate.int_charges_priced as charges using (odoo_charge_id)"
    )
    assert set(row(aggregations)[0]) == AGGREGATIONS
    grouped = "select count(*) from marts.fct_rated_lines where group_key <> '' or variant <> ''"
    assert row(grouped)[0] > 0


def test_every_kind_of_mutant_can_survive(bench: Bench) -> None:
    """Without tests nothing is caught that still builds: the rows that changed are told."""
    survivors = {
        "drop": _mutant("drop", "dim_account"),
        "duplicate": _mutant("duplicate", "dim_account"),
        "boundary": _mutant("boundary", "fct_usage_conservation", "revision > coalesce"),
        "day": _mutant("day", "int_commitments_rated", "trial_end + 0"),
    }
    assert set(survivors) == set(KINDS)
    for kind, mutant in survivors.items():
        verdict = bench.judge(mutant, with_tests=False)
        assert verdict.survived, f"{kind}: {mutant.name} {verdict}"


def _mutant(kind: str, model: str, told: str = "") -> Mutant:
    return next(
        each for each in MUTANTS if each.kind == kind and each.model == model and told in each.told
    )


@pytest.mark.parametrize("mutant", sample(), ids=lambda mutant: mutant.name)
def test_sampled_mutant_is_caught(bench: Bench, mutant: Mutant) -> None:
    assert_caught(bench, mutant)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutant_is_caught(bench: Bench, mutant: Mutant) -> None:
    assert_caught(bench, mutant)


def test_every_listed_mutant_is_there() -> None:
    listed = {(each.model, each.told or each.kind) for each in MUTANTS}
    assert set(EQUIVALENT) - listed == set()


def test_what_is_swapped_is_code() -> None:
    """Neither prose, nor values, nor what only looks like a comparison."""
    code = (
        "-- a < b, it's 1 more\n{# c > d #}\nwhere record ->> 'a > b' <> 'c' and ends >= begins\n"
        "    and span @> day and day < last_day + 1 and levels <@ all_levels"
    )
    found = [(each.place, each.told) for each in swapped("m", "model.fusion.m", code)]
    assert found == [
        (
            "line 3 >= to >",
            "where record ->> 'a > b' <> 'c' and ends > begins",
        ),
        ("line 4 < to <=", "and span @> day and day <= last_day + 1 and levels <@ all_levels"),
        ("line 4 1 to 0", "and span @> day and day < last_day + 0 and levels <@ all_levels"),
    ]


def test_rows_go_and_come_twice(bench: Bench) -> None:
    """In a model with a last line, and in one that has none; always the same row of a seed."""
    five = "select generate_series(1, 5) as number"
    for code in (five, f"with\n\nfinal as (\n    {five}\n)\n\nselect * from final\n"):
        numbers = {}
        for kind, instead in (("drop", DROPPED), ("duplicate", DUPLICATED)):
            query = with_rows(code, instead, 7)
            numbers[kind] = sorted(n for (n,) in bench.world.connection.execute(query))
        assert len(numbers["drop"]) == 4
        (gone,) = {1, 2, 3, 4, 5} - set(numbers["drop"])
        assert numbers["duplicate"] == sorted([1, 2, 3, 4, 5, gone])
