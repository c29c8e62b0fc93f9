"""The demo world: its size, its calendar, its planted cases, and that it never changes."""

from __future__ import annotations

from collections import Counter as Count
from datetime import date
from decimal import Decimal

import pytest

from sandbox.model import World, anniversary
from sandbox.world import make_world

DIFFERENCES = {
    "quantity": 2,
    "price": 2,
    "missing_in_app": 2,
    "missing_in_platform": 1,
    "unlinked_account": 4,
    "rounding": 1,
    "duplicate": 1,
    "late_usage": 2,
    "tax": 1,
    "currency": 1,
    "manual_change": 1,
}


def test_its_size(world: World) -> None:
    assert len(world.clients) == len({client.name for client in world.clients}) == 200
    services = Count(account.service_code for account in world.accounts)
    assert services == {"nexacloud": 90, "nexadesk": 80, "nexamaps": 70, "nexaclub": 40}
    assert len({sub.key for sub in world.subscriptions}) == 280
    held = Count((sub.client_code, sub.service_code) for sub in world.subscriptions)
    assert max(held.values()) == 1, "a client has one subscription a service"
    assert len(Count(client for client, _ in held)) == 200, "every client has one at least"
    provinces = Count(client.province for client in world.clients)
    assert provinces["ON"] > 100
    assert provinces["NY"] == 1


@pytest.mark.parametrize(
    ("demo_date", "months"),
    [
        (date(2026, 11, 21), (date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1))),
        # October ended yesterday: its 24 hours of grace are not over.
        (date(2026, 11, 2), (date(2026, 8, 1), date(2026, 9, 1), date(2026, 10, 1))),
        (date(2026, 11, 3), (date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1))),
        (date(2027, 1, 15), (date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1))),
    ],
)
def test_its_months(demo_date: date, months: tuple[date, date, date]) -> None:
    assert make_world(demo_date).months == months


def test_the_same_seed_and_date_make_the_same_world(world: World) -> None:
    assert make_world(date(2026, 11, 21)) == world
    assert make_world(date(2026, 11, 21), seed=20).clients != world.clients


def test_lives_of_subscriptions(world: World) -> None:
    starts = [sub.start_date for sub in world.subscriptions]
    assert sum(start < world.first for start in starts) > 240
    for month, following in ((world.first, world.second), (world.second, world.open)):
        assert any(month < start < following for start in starts)
    ends = [sub.end_date for sub in world.subscriptions if sub.end_date is not None]
    assert ends
    assert all(world.second < end < world.open for end in ends)
    club = [sub for sub in world.subscriptions if sub.service_code == "nexaclub"]
    assert any(sub.start_date.day == 31 for sub in club), "clamping shows on the 31st only"
    assert {sub.billing_time for sub in club} == {"anniversary"}


def test_the_first_invoice_falls_on_a_period_start_from_the_second_month_on(world: World) -> None:
    """An anniversary of the 31st is invoiced on 31 October; a calendar one on 1 October."""
    due = {sub.start_date.day: sub.next_invoice_date for sub in world.subscriptions
           if sub.service_code == "nexaclub" and sub.start_date < world.first}  # fmt: skip
    assert due[31] == date(2026, 10, 31)
    calendar = {sub.next_invoice_date for sub in world.subscriptions
                if sub.billing_time == "calendar" and sub.start_date < world.second}  # fmt: skip
    assert calendar == {date(2026, 10, 1)}


def test_month_end_clamping() -> None:
    start = date(2026, 1, 31)
    due = [anniversary(start, months) for months in (1, 2, 3, 11, 12)]
    assert due == [
        date(2026, 2, 28),
        date(2026, 3, 31),
        date(2026, 4, 30),
        date(2026, 12, 31),
        date(2027, 1, 31),
    ]


@pytest.mark.parametrize("demo_date", [date(2026, 11, 21), date(2026, 3, 3), date(2028, 3, 2)])
@pytest.mark.parametrize("seed", [19, 7])
def test_every_difference_is_planted_on_a_line_of_its_own(demo_date: date, seed: int) -> None:
    """Also in a short February and a leap year: `make demo` must work on any day."""
    world = make_world(demo_date, seed=seed)
    differences = world.planted_differences()
    counted = Count(planted.reason for planted in differences)
    # As many as happen to begin or end in the second month.
    assert counted.pop("proration") == len(_of_part_of_a_month(world)) > 0
    assert counted == DIFFERENCES
    lines = {(p.subscription_key, p.metric_code, p.month) for p in differences}
    assert len(lines) == len(differences)
    cases = Count(p.subscription_key for p in world.planted)
    twice = {key for key, count in cases.items() if count > 1}
    doubled = {p.subscription_key for p in world.planted
               if p.kind in ("no_link", "unpriced_metric")}  # fmt: skip
    assert twice == doubled, "all other cases have a subscription of their own"
    (unlinked,) = [account for account in world.accounts if not account.linked]
    (no_link,) = [p for p in world.planted if p.kind == "no_link"]
    assert unlinked.external_id == no_link.external_account_id


def test_planted_amounts_move_in_the_right_direction(world: World) -> None:
    signs = {(p.reason, p.difference is not None and p.difference > 0) for p in
             world.planted_differences() if p.difference is not None}  # fmt: skip
    assert signs == {
        ("quantity", False),  # the app lost usage
        ("price", False),  # 0.0021 for 0.0023
        ("price", True),  # 0.15 for 0.12
        ("missing_in_app", False),
        ("missing_in_platform", True),
        ("unlinked_account", True),
        ("rounding", False),
        ("duplicate", True),
        ("late_usage", False),
        ("tax", False),  # 5 % for 13 %
        ("manual_change", False),
        ("proration", False),  # Odoo bills whole months
    }


def test_a_fee_by_days(world: World) -> None:
    """Of the fee of a month that it ended in on day 13 of 31, 99.00 × 13 / 31 = 41.516 → 41.52."""
    (case,) = [
        p for p in world.planted_differences() if p.subscription_key == "nexacloud:nc-sub-0016"
    ]
    assert case.difference == Decimal("41.52") - Decimal("99.00")


def _of_part_of_a_month(world: World) -> list[str]:
    return [
        sub.key
        for sub in world.subscriptions
        if sub.service_code != "nexaclub"
        and (sub.start_date > world.second or sub.end_date is not None)
        and sub.start_date < world.open
    ]
