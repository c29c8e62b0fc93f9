"""Lago's official clients, unmodified, against the real endpoint; and the examples of docs/api.md.

The JavaScript client is installed from npm into a temporary folder, without a lock file.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from endpoint_world import REPOSITORY
from lago_python_client import Client
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import BatchEvent, Customer, Event, Subscription
from lago_world import MONTH, LagoWorld, day_start

DRIVER = Path(__file__).with_name("clients") / "drive.mjs"
JAVASCRIPT_CLIENT = "lago-javascript-client@1.53.0"
PAGE = (REPOSITORY / "docs" / "api.md").read_text()
STARTS_AT = int(day_start(MONTH).timestamp())

NOT_FOUND = {"status": 404, "error": "Not Found"}
REFUSALS = {
    "conflict": {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors",
                 "error_details": {"transaction_id": ["value_already_exist"]}},
    "batch": {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors",
              "error_details": {"1": {"code": ["value_is_mandatory"]}}},
    "event": NOT_FOUND | {"code": "event_not_found"},
    "customer": NOT_FOUND | {"code": "customer_not_found"},
    "subscription": {"status": 405, "error": "Method Not Allowed",
                     "code": "no_active_subscription"},
    "past": {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors",
             "error_details": {"external_subscription_id": ["value_is_mandatory"]}},
    "metric": NOT_FOUND | {"code": "billable_metric_not_found"},
    "plan": NOT_FOUND | {"code": "plan_not_found"},
    "gone": NOT_FOUND | {"code": "subscription_not_found"},
    "nobody": NOT_FOUND | {"code": "customer_not_found"},
    "asked": {"status": 422, "error": "Unprocessable Entity", "code": "validation_errors",
              "error_details": {"external_customer_id": ["value_is_mandatory"],
                                "plan_code": ["value_is_mandatory"]}},
    "key": {"status": 401, "error": "Unauthorized"},
}  # fmt: skip


def refusal(call: Callable[[], Any]) -> Any:
    with pytest.raises(LagoApiError) as caught:
        call()
    assert caught.value.status_code == caught.value.response["status"]
    return caught.value.response


def test_the_python_client(lago_world: LagoWorld) -> None:
    lago = Client(api_key=lago_world.key, api_url=lago_world.endpoint.base)
    stranger = Client(api_key="fb_nobody_x", api_url=lago_world.endpoint.base)

    def event(number: int, **properties: Any) -> Event:
        return Event(
            transaction_id=f"python-{number}",
            external_subscription_id="python",
            code="messages",
            timestamp=STARTS_AT,
            properties=properties,
        )

    created = lago.events.create(event(1, count=1200))
    assert created == lago.events.create(event(1, count=1200))
    lago.events.batch_create(BatchEvent(events=[event(2, count="300"), event(3, count=0.5)]))
    assert lago.events.find("python-2").properties == {"count": "300"}

    usage = lago.customers.current_usage("maple", "python")
    (messages,) = (one for one in usage.charges_usage if one.billable_metric.code == "messages")
    assert (messages.units, messages.events_count, messages.amount_cents) == ("1500.5", 3, 601)
    assert (usage.amount_cents, usage.currency, usage.lago_invoice_id) == (601, "CAD", None)
    only = lago.customers.current_usage("maple", "python", charge_code="seats")
    assert [one.billable_metric.code for one in only.charges_usage] == ["seats"]

    past = lago.customers.past_usage("maple", "billed", {"periods_count": 1})
    assert [period.amount_cents for period in past["usage_periods"]] == [2521]
    assert past["meta"]["total_count"] == 1

    metrics = lago.billable_metrics.find_all({"per_page": 2})
    assert [metric.code for metric in metrics["billable_metrics"]] == ["agents", "lookups"]
    assert metrics["meta"]["next_page"] == 2
    assert lago.billable_metrics.find("agents").aggregation_type == "unique_count_agg"
    plans = lago.plans.find_all()
    assert [plan.code for plan in plans["plans"]] == ["bare", "desk_team"]
    plan = lago.plans.find("desk_team")
    prices = {one.code: one.properties["amount"] for one in plan.charges.__root__}
    assert prices["messages"] == "0.012"

    customer = lago.customers.create(
        Customer(external_id="python-customer", name="Maple", country="CA", currency="CAD")
    )
    assert customer is not None
    assert lago.customers.find("python-customer") == customer
    assert (customer.name, customer.applicable_timezone) == ("Maple", "America/Toronto")
    asked = Subscription(
        external_customer_id="python-customer", external_id="python-asked", plan_code="desk_team"
    )
    subscription = lago.subscriptions.create(asked)
    assert subscription is not None
    assert subscription == lago.subscriptions.create(asked)
    assert lago.subscriptions.find("python-asked") == subscription
    assert (subscription.status, subscription.billing_time) == ("active", "calendar")
    listed = lago.subscriptions.find_all({"external_customer_id": "python-customer"})
    assert [one.external_id for one in listed["subscriptions"]] == ["python-asked"]
    ended = lago.subscriptions.destroy("python-asked")
    assert ended.status == "terminated"
    theirs = {"external_customer_id": "python-customer"}
    assert lago.subscriptions.find_all(theirs | {"status[]": ["active"]})["subscriptions"] == []
    assert lago.subscriptions.find_all(theirs | {"status[]": ["terminated", "active"]})[
        "subscriptions"
    ] == [ended]

    bad = event(5)
    bad.code = ""
    assert {
        "conflict": refusal(lambda: lago.events.create(event(1, count=7))),
        "batch": refusal(lambda: lago.events.batch_create(BatchEvent(events=[event(4), bad]))),
        "event": refusal(lambda: lago.events.find("nobody")),
        "customer": refusal(lambda: lago.customers.current_usage("stranger", "python")),
        "subscription": refusal(lambda: lago.customers.current_usage("maple", "NOPE")),
        "past": refusal(lambda: lago.customers.past_usage("maple", "")),
        "metric": refusal(lambda: lago.billable_metrics.find("nobody")),
        "plan": refusal(lambda: lago.plans.find("nobody")),
        "gone": refusal(lambda: lago.subscriptions.find("python-asked")),
        "nobody": refusal(lambda: lago.customers.find("nobody at all")),
        "asked": refusal(
            lambda: lago.subscriptions.create(Subscription(external_id="x", plan_code=""))
        ),
        "key": refusal(lambda: stranger.plans.find_all()),
    } == REFUSALS


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which node finds the client. Skips where npm or its registry is missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs node and npm")
    folder = tmp_path_factory.mktemp("javascript")
    command = [
        *("npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"),
        *("--fetch-retries=0", "--fetch-timeout=20000", "--prefix", str(folder)),
        JAVASCRIPT_CLIENT,
    ]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
        )
    except subprocess.TimeoutExpired:
        pytest.skip("npm's registry does not answer")
    if done.returncode != 0:
        codes = re.findall(r"npm (?:error|ERR!) code (\w+)", done.stderr)
        pytest.skip(f"npm could not install {JAVASCRIPT_CLIENT}: {' '.join(codes) or 'no reason'}")
    return folder


def node(folder: Path, script: str, **environment: str) -> str:
    path = folder / "script.mjs"
    path.write_text(script)
    done = subprocess.run(
        ["node", str(path)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("prefix", ["/api/v1", "/api/billing/v1"])
def test_the_javascript_client(lago_world: LagoWorld, javascript: Path, prefix: str) -> None:
    subscription = {"/api/v1": "node", "/api/billing/v1": "node-billing"}[prefix]
    output = node(
        javascript,
        DRIVER.read_text(),
        FUSION_BASE=lago_world.endpoint.base + prefix,
        FUSION_KEY=lago_world.key,
        SUBSCRIPTION=subscription,
        STARTS_AT=str(STARTS_AT),
        TAG=subscription,
    )
    answers = json.loads(output)
    found = answers["found"]
    assert found["again"]["event"] == found["created"]["event"] | {"duplicate": True}
    assert [one["properties"] for one in found["batch"]["events"]] == [
        {"count": "300"},
        {"count": 0.5},
    ]
    assert found["event"]["event"]["transaction_id"] == f"{subscription}-2"
    assert (len(found["events"]["events"]), found["events"]["meta"]["total_count"]) == (2, 3)
    usage = {
        one["billable_metric"]["code"]: (one["units"], one["amount_cents"])
        for one in found["usage"]["customer_usage"]["charges_usage"]
    }
    assert usage["messages"] == ("1500.5", 601)
    assert [period["amount_cents"] for period in found["past"]["usage_periods"]] == [2521]
    assert [one["code"] for one in found["metrics"]["billable_metrics"]] == ["agents", "lookups"]
    assert found["metric"]["billable_metric"]["aggregation_type"] == "unique_count_agg"
    assert [one["code"] for one in found["plans"]["plans"]] == ["bare", "desk_team"]
    assert len(found["plan"]["plan"]["charges"]) == 5
    customer = found["customer"]["customer"]
    assert customer["external_id"] == f"{subscription}-customer"
    assert found["customerFound"] == found["customer"]
    assert len(found["customers"]["customers"]) == 1
    assert found["subscriptionFound"] == found["subscription"]
    made = found["subscription"]["subscription"]
    assert (made["status"], made["lago_customer_id"]) == ("active", customer["lago_id"])
    assert found["subscriptions"]["subscriptions"] == [made]
    assert found["terminated"]["subscription"]["status"] == "terminated"
    assert found["terminatedFound"] == found["terminated"]
    assert answers["errors"] == REFUSALS


# --- docs/api.md -----------------------------------------------------------------------------


def example(language: str, heading: str = "## Reading usage") -> str:
    """The one block of a section in this language."""
    section = PAGE[PAGE.index(heading) :]
    section = section[: section.index("\n## ", 4)]
    (found,) = re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)
    return str(found)


def surroundings(world: LagoWorld) -> dict[str, str]:
    return {"FUSION_URL": world.endpoint.base, "FUSION_KEY": world.key}


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_example_of_reading(lago_world: LagoWorld) -> None:
    done = subprocess.run(
        ["bash", "-euc", example("bash")],
        env=os.environ | surroundings(lago_world),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    current, past = map(json.loads, done.stdout.splitlines())
    assert len(current["customer_usage"]["charges_usage"]) == 5
    assert past == {
        "usage_periods": [],
        "meta": dict.fromkeys(["current_page", "total_pages", "total_count"], 0)
        | dict.fromkeys(["next_page", "prev_page"]),
    }


def test_the_python_example_of_reading(lago_world: LagoWorld) -> None:
    done = subprocess.run(
        [sys.executable, "-c", example("python")],
        env=os.environ | surroundings(lago_world),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "messages" in done.stdout
    assert "no_active_subscription" in done.stdout


def test_the_typescript_example_of_reading(lago_world: LagoWorld, javascript: Path) -> None:
    """Types would be all that node 20 cannot read, and the example needs none."""
    output = node(javascript, example("typescript"), **surroundings(lago_world))
    assert "messages" in output
    assert "no_active_subscription" in output


ASKING = "## Customers and subscriptions"


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_example_of_asking(lago_world: LagoWorld) -> None:
    done = subprocess.run(
        ["bash", "-euc", example("bash", ASKING)],
        env=os.environ | surroundings(lago_world),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    customer, subscription = map(json.loads, done.stdout.splitlines())
    assert customer["customer"]["name"] == "Birch Robotics"
    assert subscription["subscription"]["status"] == "active"


def test_the_python_example_of_asking(lago_world: LagoWorld) -> None:
    done = subprocess.run(
        [sys.executable, "-c", example("python", ASKING)],
        env=os.environ | surroundings(lago_world),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "sub_78 active\nsub_78 terminated\n"


def test_the_typescript_example_of_asking(lago_world: LagoWorld, javascript: Path) -> None:
    output = node(javascript, example("typescript", ASKING), **surroundings(lago_world))
    assert output == "active pending\n"
