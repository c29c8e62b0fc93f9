"""GET /customers/{id}/past_usage: what the ledger billed, period by period."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from lago_world import LAST_MONTH, MONTH, MONTH_BEFORE_LAST, LagoWorld, day_start


def past(world: LagoWorld, customer: str = "maple", **query: Any) -> httpx.Response:
    query = {"external_subscription_id": "billed"} | query
    return world.ours.get(f"/customers/{customer}/past_usage", **query)


def starts(answer: httpx.Response) -> list[str]:
    return [period["from_datetime"] for period in answer.json()["usage_periods"]]


NEWEST, OLDEST = (
    day_start(month).strftime("%Y-%m-%dT%H:%M:%SZ") for month in (LAST_MONTH, MONTH_BEFORE_LAST)
)


def test_billed_periods_newest_first_with_their_adjustments(lago_world: LagoWorld) -> None:
    answer = past(lago_world)
    assert answer.json()["meta"] == {
        "current_page": 1,
        "next_page": None,
        "prev_page": None,
        "total_pages": 1,
        "total_count": 2,
    }
    assert starts(answer) == [NEWEST, OLDEST]
    newest, oldest = answer.json()["usage_periods"]
    assert newest["to_datetime"] > newest["from_datetime"]
    assert newest["to_datetime"] < day_start(MONTH).strftime("%Y-%m-%dT%H:%M:%SZ")
    figures = {
        charge["billable_metric"]["code"]: (charge["units"], charge["amount_cents"])
        for charge in newest["charges_usage"]
    }
    assert figures == {"agents": ("5.0", 1800), "messages": ("1600.5", 721)}  # 6.00 + 1.21
    assert newest["amount_cents"] == newest["total_amount_cents"] == 2521
    assert oldest["amount_cents"] == 240
    # The newest is on an invoice of Odoo's, the oldest not yet.
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", newest["lago_invoice_id"])
    assert oldest["lago_invoice_id"] is None
    current = lago_world.usage("billed").json()["customer_usage"]
    assert newest.keys() == current.keys()
    assert newest["charges_usage"][0].keys() == current["charges_usage"][0].keys()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"periods_count": 1}, [NEWEST]),
        ({"periods_count": 9}, [NEWEST, OLDEST]),
        ({"per_page": 1, "page": 2}, [OLDEST]),
        ({"per_page": 1, "page": 2, "periods_count": 1}, []),
        ({"page": 3}, []),
        ({"billable_metric_code": "agents"}, [NEWEST]),
        ({"external_subscription_id": "empty"}, []),
        ({"external_subscription_id": "maps"}, []),  # another service's
        ({"external_subscription_id": "NOPE"}, []),
    ],
)
def test_pages_and_filters(lago_world: LagoWorld, query: dict[str, Any], found: list[str]) -> None:
    assert starts(past(lago_world, **query)) == found


def test_a_metric_filter_keeps_the_invoice_of_the_period(lago_world: LagoWorld) -> None:
    (period,) = past(lago_world, billable_metric_code="agents").json()["usage_periods"]
    assert [charge["amount_cents"] for charge in period["charges_usage"]] == [1800]


@pytest.mark.parametrize(
    ("customer", "query", "status", "problem"),
    [
        ("stranger", {}, 404, {"code": "customer_not_found"}),
        ("birch", {}, 404, {"code": "customer_not_found"}),
        ("maple", {"billable_metric_code": "map_loads"}, 404,
         {"code": "billable_metric_not_found"}),
        ("maple", {"external_subscription_id": ""}, 422,
         {"error_details": {"external_subscription_id": ["value_is_mandatory"]}}),
        ("maple", {"periods_count": "many"}, 422,
         {"error_details": {"periods_count": ["value_is_invalid"]}}),
        ("maple", {"page": "0"}, 422, {"error_details": {"page": ["value_is_invalid"]}}),
        ("maple", {"external_subscription_id": "a\0"}, 422,
         {"error_details": {"external_subscription_id": ["value_is_invalid"]}}),
        ("ma\0ple", {}, 404, {"code": "customer_not_found"}),
    ],
)  # fmt: skip
def test_refusals(
    lago_world: LagoWorld,
    customer: str,
    query: dict[str, Any],
    status: int,
    problem: dict[str, Any],
) -> None:
    answer = past(lago_world, customer.replace("\0", "%00"), **query)
    assert answer.status_code == status
    assert answer.json().items() >= problem.items()
