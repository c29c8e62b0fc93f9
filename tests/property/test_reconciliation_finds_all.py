"""Whatever differs between an app, the platform and Odoo is found, with the reason that it was
planted with, and nothing else is: each kind alone, two on one row, two on rows of one account."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from drawing import SEED_VARIABLE, fixed_seed
from reconciled_cases import KINDS, PHASES, REASONS, Row, rows
from reconciled_world import Reconciled

HERE = "tests/property/test_reconciliation_finds_all.py"


def check(database_url: str, folder: Path, world_seed: int, *, pairs: int | None = None) -> None:
    planted = rows(world_seed, pairs=pairs)
    world = Reconciled(database_url, folder, planted)
    world.reconcile()
    found = world.differences()
    expected = {
        (row.key, item, start): reason
        for row in planted
        for (item, start), reason in row.expected().items()
    }
    kinds = {row.key: row.kinds for row in planted}
    wrong = [
        f"{key} {item} {start} ({' and '.join(kinds[key])}): "
        f"got {found.get((key, item, start))}, expected {expected.get((key, item, start))}"
        for key, item, start in sorted(found.keys() | expected.keys(), key=str)
        if found.get((key, item, start)) != expected.get((key, item, start))
    ]
    assert not wrong, "\n".join(
        [
            f"{len(wrong)} of {len(expected)} differences:",
            *wrong[:40],
            f"Again: {SEED_VARIABLE}={world_seed} python -m pytest {HERE}",
        ]
    )
    world.hold()


def test_every_kind_is_found_alone_and_in_pairs(
    new_database: Callable[[], str], folder: Path
) -> None:
    check(new_database(), folder, fixed_seed(), pairs=60)


@pytest.mark.slow
@pytest.mark.parametrize("run", range(8))
def test_every_kind_is_found_with_any_figures(
    new_database: Callable[[], str], folder: Path, run: int
) -> None:
    check(new_database(), folder, random.SystemRandom().randrange(2**32))


def test_every_reason_is_planted_in_every_way() -> None:
    """None of the list is missing, alone or in pairs; what agrees stands beside it."""
    planted = rows(1)

    def reasons(of: Callable[[Row], bool]) -> set[str]:
        return {KINDS[kind] for row in planted if of(row) for kind in row.kinds}

    assert reasons(lambda row: len(row.kinds) == 1 and row.service == "nexamaps") == set(REASONS)
    # On one row with another: all but what leaves nothing to differ in.
    assert reasons(lambda row: len(row.kinds) == 2) == set(REASONS) - {"missing_in_platform"}
    assert sum(1 for row in planted if not row.kinds and not row.replanned) == 3
    assert {row.service for row in planted if row.replanned} == set(PHASES)
