"""What a difference was from build to build, and the command that shows it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from command_line import environment, fusion_billing
from psycopg import sql
from psycopg.rows import dict_row
from reconciled_cases import FEE, REASONS, Row
from reconciled_world import Reconciled

from cli.billing import Reason
from warehouse.dbt_project import DbtBuildError

PRICE = "nexamaps:s1"
# The fee is right on this one; then the app's next version of the invoice says otherwise.
FEE_OF = "nexamaps:s2"
HISTORY = """
select difference_key, first_reason, reason, delta, versions, first_seen_at, last_changed_at,
    resolved_at, is_standing, age_days
from marts.fct_reconciliation_history order by difference_key
"""


def row(number: int, *kinds: str) -> Row:
    """50,000 loads are 40,000 beyond the quota: 92.00 at 0.0023, 76.00 at 0.0019."""
    return Row(
        service="nexamaps",
        number=number,
        account=f"a{number}",
        kinds=kinds,
        used=Decimal(50_000),
        late=Decimal(0),
        back=Decimal(500),
        edge=(Decimal(200), Decimal(1000)),
        messages=Decimal(2000),
        other_price=Decimal("0.0019"),
    )


@pytest.fixture(scope="module")
def world(database_url: str, folder: Path) -> Reconciled:
    with psycopg.connect(database_url, autocommit=True) as connection:
        # Nobody's server need be in UTC.
        connection.execute(
            sql.SQL("alter database {} set timezone to 'America/Toronto'").format(
                sql.Identifier(connection.info.dbname)
            )
        )
    made = Reconciled(database_url, folder, [row(1, "price"), row(2)])
    made.reconcile()
    return made


def history(world: Reconciled) -> dict[str, dict[str, Any]]:
    world.reconcile("int_app_lines_placed+")
    with psycopg.connect(world.url, row_factory=dict_row) as connection:
        return {row["difference_key"]: row for row in connection.execute(HISTORY)}


def fee_becomes(world: Reconciled, amount: Decimal) -> None:
    """The app corrects its fee of September: a line of the same invoice says another amount."""
    with psycopg.connect(world.url) as connection:
        changed = connection.execute(
            "update raw.app_billing_line set amount = %s where external_subscription_id = 's2'"
            " and item_type = 'subscription' and period_from >= '2026-09-01T00:00Z'",
            [amount],
        )
        assert changed.rowcount == 1


def test_a_difference_is_seen_changes_goes_and_comes_back(world: Reconciled) -> None:
    key = f"{FEE_OF}:base_fee:2026-09-01"
    first = history(world)
    assert list(first) == [f"{PRICE}:p/map_loads:2026-09-01#1"]
    (price,) = first.values()
    assert (price["reason"], price["delta"], price["is_standing"]) == ("price", Decimal(-16), True)
    assert datetime.now(UTC).replace(tzinfo=None) - price["first_seen_at"] < timedelta(hours=1)

    fee_becomes(world, FEE - Decimal("0.01"))
    seen = history(world)[f"{key}#1"]
    assert (seen["reason"], seen["delta"], seen["versions"]) == ("rounding", Decimal("-0.01"), 1)

    fee_becomes(world, Decimal(25))
    changed = history(world)[f"{key}#1"]
    assert (changed["first_reason"], changed["reason"], changed["versions"]) == (
        "rounding", "price", 2,
    )  # fmt: skip
    assert changed["first_seen_at"] == seen["first_seen_at"] < changed["last_changed_at"]

    fee_becomes(world, FEE)
    gone = history(world)[f"{key}#1"]
    assert gone["resolved_at"] > gone["last_changed_at"] == changed["last_changed_at"]
    assert not gone["is_standing"]

    fee_becomes(world, Decimal(25))
    back = history(world)
    assert back[f"{key}#1"] == gone, "what is over is not touched"
    assert back[f"{key}#2"]["first_seen_at"] >= gone["resolved_at"]
    assert back[f"{key}#2"]["is_standing"]
    # All that time the other stood, unchanged.
    assert back[f"{PRICE}:p/map_loads:2026-09-01#1"] == price
    world.hold()


def loads_become(world: Reconciled, amount: Decimal) -> None:
    """40,000 loads come to no price of the catalogue's precision at 77.77 or 66.66."""
    with psycopg.connect(world.url) as connection:
        connection.execute(
            "update raw.app_billing_line set amount = %s where external_subscription_id = 's1'"
            " and metric_code = 'map_loads' and period_from >= '2026-09-01T00:00Z'",
            [amount],
        )


def test_the_command_shows_when_a_difference_was_seen_first(
    world: Reconciled, tmp_path: Path
) -> None:
    env = environment(tmp_path, DATABASE_URL=world.url)
    fee_becomes(world, Decimal(25))

    def listed(*options: str) -> list[dict[str, Any]]:
        found = fusion_billing("reconcile", "--format", "json", *options, env=env, seconds=300)
        assert (found.status, found.stderr) == (0, "")
        rows: list[dict[str, Any]] = found.json()
        return rows

    both = listed()
    assert [(row["subscription_key"], row["item"], row["phase"]) for row in both] == [
        (PRICE, "map_loads", "live"),
        (FEE_OF, "base_fee", "live"),
    ]
    assert all(date.fromisoformat(row["first_seen"]) for row in both)
    assert listed("--no-build", "--reason", "price") == both
    assert listed("--no-build", "--reason", "tax") == []

    refused = fusion_billing("reconcile", "--reason", "moon", env=env)
    assert (refused.status, refused.stdout) == (2, "")

    loads_become(world, Decimal("77.77"))
    unexplained = fusion_billing("reconcile", "--format", "json", env=env, seconds=300)
    assert unexplained.status == 1
    assert [row["reason"] for row in unexplained.json()] == ["unexplained", "price"]


def test_what_is_unexplained_or_lost_stops_the_build_and_stands_in_the_reports(
    world: Reconciled,
) -> None:
    """dbt skips what is downstream of a test that fails: the reports showed the build before."""
    loads_become(world, Decimal("66.66"))
    world.reconcile("int_app_lines_placed")
    with psycopg.connect(world.url) as connection:
        connection.execute(
            "delete from intermediate.int_app_lines_placed where subscription_key = %s"
            " and item_type = 'base_fee' and period_start = '2026-09-01'",
            [FEE_OF],
        )
    with pytest.raises(DbtBuildError, match="no_difference_is_unexplained") as stopped:
        world.build("int_app_charges_billed+")
    assert "assert_reconciliation_holds_the_whole_ledger" in str(stopped.value)
    with psycopg.connect(world.url) as connection:
        (monthly,) = connection.execute(
            "select lines, app_amount from marts.rpt_reconciliation_monthly"
            " where outcome = 'unexplained'"
        ).fetchall()
        (account,) = connection.execute(
            "select account_key, unexplained from marts.rpt_reconciliation_accounts"
            " where unexplained > 0"
        ).fetchall()
    assert (monthly, account) == ((1, Decimal("66.66")), ("nexamaps:a1", 1))


def test_the_reasons_are_listed_once() -> None:
    """The command, the docs and the property tests know the same list, in the same order."""
    page = Path(__file__).parents[2] / "docs" / "reconciliation.md"
    told = [
        line.split("`")[1]
        for line in page.read_text().splitlines()
        if re.match(r"\| \d+ \| `", line)
    ]
    assert told == [*REASONS, "unexplained"] == list(Reason)
