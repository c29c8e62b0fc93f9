"""GET /billable_metrics and GET /plans: the catalogue, as far as a service uses it."""

from __future__ import annotations

import pytest
from lago_world import LagoWorld


@pytest.mark.parametrize("prefix", ["/api/v1", "/api/billing/v1"])
def test_metrics_of_the_services_plans(lago_world: LagoWorld, prefix: str) -> None:
    answer = lago_world.ours.http.get(f"{prefix}/billable_metrics").json()
    found = {metric["code"]: metric["aggregation_type"] for metric in answer["billable_metrics"]}
    assert list(found.items()) == [
        ("agents", "unique_count_agg"),
        ("lookups", "count_agg"),
        ("messages", "sum_agg"),
        ("seats", "latest_agg"),
        ("storage_gb", "max_agg"),
    ]
    assert answer["meta"]["total_count"] == 5
    theirs = lago_world.theirs.http.get(f"{prefix}/billable_metrics").json()
    assert [metric["code"] for metric in theirs["billable_metrics"]] == ["map_loads"]


def test_one_metric(lago_world: LagoWorld) -> None:
    metric = lago_world.ours.get("/billable_metrics/agents").json()["billable_metric"]
    assert (
        metric.items()
        >= {
            "name": "Agents",
            "code": "agents",
            "field_name": "agent_id",
            "recurring": False,
            "plans_count": 1,
            "filters": [],
        }.items()
    )
    listed = lago_world.ours.get("/billable_metrics").json()["billable_metrics"]
    assert metric in listed
    used = lago_world.usage("empty", filter_by_metric_code="agents").json()["customer_usage"]
    assert used["charges_usage"][0]["billable_metric"]["lago_id"] == metric["lago_id"]


@pytest.mark.parametrize("prefix", ["/api/v1", "/api/billing/v1"])
def test_plans_with_their_charges(lago_world: LagoWorld, prefix: str) -> None:
    answer = lago_world.ours.http.get(f"{prefix}/plans").json()
    assert [plan["code"] for plan in answer["plans"]] == ["bare", "desk_team"]
    bare, team = answer["plans"]
    assert (bare["charges"], bare["amount_currency"]) == ([], "CAD")
    assert (team["interval"], team["amount_cents"], team["amount_currency"]) == (
        "monthly",
        None,
        "CAD",
    )
    prices = {
        charge["billable_metric_code"]: (
            charge["charge_model"],
            charge["properties"]["amount"],
            charge["properties"]["included"],
        )
        for charge in team["charges"]
    }
    assert prices == {
        "messages": ("standard", "0.012", "1000"),
        "agents": ("standard", "9.00", "3"),
        "storage_gb": ("standard", "0.125", "20"),
        "seats": ("standard", "4.25", "1"),
        "lookups": ("standard", "0.005", "0"),
    }
    assert lago_world.ours.http.get(f"{prefix}/plans/desk_team").json() == {"plan": team}


def test_pages(lago_world: LagoWorld) -> None:
    answer = lago_world.ours.get("/plans", page=2, per_page=1).json()
    assert [plan["code"] for plan in answer["plans"]] == ["desk_team"]
    assert tuple(answer["meta"].values()) == (2, None, 1, 2, 2)
    answer = lago_world.ours.get("/billable_metrics", page=2, per_page=4).json()
    assert [metric["code"] for metric in answer["billable_metrics"]] == ["storage_gb"]
    assert lago_world.ours.get("/plans", page=0).status_code == 422


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/plans/none", "plan_not_found"),
        ("/plans/maps_growth", "plan_not_found"),  # another service's
        ("/plans/%00", "plan_not_found"),
        ("/billable_metrics/none", "billable_metric_not_found"),
        ("/billable_metrics/map_loads", "billable_metric_not_found"),
    ],
)
def test_what_is_not_there(lago_world: LagoWorld, path: str, code: str) -> None:
    answer = lago_world.ours.get(path)
    assert (answer.status_code, answer.json()) == (
        404,
        {"status": 404, "error": "Not Found", "code": code},
    )
