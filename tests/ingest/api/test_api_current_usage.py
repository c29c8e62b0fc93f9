"""GET /customers/{id}/current_usage: numbers by hand, Lago's shape and refusals, the marts."""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from endpoint_world import Service
from lago_world import (
    DIMENSIONS,
    MONTH,
    NEXT_MONTH,
    OURS,
    RANDOM,
    TIMEZONE,
    TODAY,
    LagoWorld,
    day_start,
    happened,
    used,
)
from sqlalchemy.engine import make_url

from ingest.api.database import Database
from ingest.api.marts import Company, cents
from ingest.api.usage_answers import CustomerUsage
from ingest.api.usage_reading import Wanted, current_usage

CAD = Company(TIMEZONE, "CAD")
(VECTOR,) = (
    vector
    for vector in json.loads(
        (Path(__file__).parents[2] / "conformance" / "lago_vectors.json").read_text()
    )
    if vector["model"] == "current_usage"
)


def utc(day: date) -> str:
    return day_start(day).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_five_aggregations_by_hand(lago_world: LagoWorld) -> None:
    post, name = lago_world.ours.post, "by-hand"
    counters = [
        used(name, 0, value="1200.25"),
        used(name, 1, value="-0.25"),
        used(name, 2, code="storage_gb", value="12"),
        used(name, 3, code="storage_gb", value="45.50"),
        used(name, 4, code="storage_gb", value="30"),
        used(name, 6, code="seats", value="2"),  # the later window counts, though it comes first
        used(name, 5, code="seats", value="7"),
        used(name, 7, code="agents", value="1", properties={"agent_id": "e"}),
    ]
    assert post("/usage", {"counters": counters}).status_code == 200
    events = [
        happened(name, 10, "messages", count="300"),
        happened(name, 11, "messages", count="3e2"),  # no number as Lago reads them
        *(happened(name, 20 + n, "agents", agent_id=agent) for n, agent in enumerate("abbcd")),
        *(happened(name, 30 + n, "lookups") for n in range(3)),
        happened(name, 40, "unknown_metric", value=9),
    ]
    assert post("/events/batch", {"events": events}).status_code == 200
    assert lago_world.charges(name) == {
        "messages": ("1500.0", 3, 600),  # 500 x 0.012
        "agents": ("5.0", 5, 1800),  # 2 x 9.00
        "storage_gb": ("45.5", 3, 319),  # 25.5 x 0.125 = 3.1875
        "seats": ("2.0", 2, 425),  # 1 x 4.25
        "lookups": ("3.0", 3, 2),  # 3 x 0.005: half a cent goes up
    }
    post("/usage", {"counters": counters}).raise_for_status()
    post("/usage", {"counters": [used(name, 0, value="5")]})
    assert lago_world.charges(name)["messages"] == ("1500.0", 3, 600)  # duplicate and conflict
    post("/usage", {"counters": [used(name, 50, value="0.5")]}).raise_for_status()
    assert lago_world.charges(name)["messages"] == ("1500.5", 4, 601)  # 500.5 x 0.012 = 6.006
    usage = lago_world.usage(name).json()["customer_usage"]
    assert usage["amount_cents"] == usage["total_amount_cents"] == 601 + 1800 + 319 + 425 + 2


def test_the_whole_shape(lago_world: LagoWorld) -> None:
    usage = lago_world.usage("empty", filter_by_metric_code="agents").json()["customer_usage"]
    (charge,) = usage.pop("charges_usage")
    assert usage == {
        "from_datetime": utc(MONTH),
        "to_datetime": (day_start(NEXT_MONTH) - timedelta(seconds=1)).strftime(
            "%Y-%m-%dT%H:%M:%SZ"
        ),
        "issuing_date": (NEXT_MONTH - timedelta(days=1)).isoformat(),
        "currency": "CAD",
        "amount_cents": 0,
        "total_amount_cents": 0,
        "taxes_amount_cents": 0,
        "lago_invoice_id": None,
    }
    uuid = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    assert uuid.fullmatch(charge["charge"].pop("lago_id"))
    assert uuid.fullmatch(charge["billable_metric"].pop("lago_id"))
    assert charge == {
        "units": "0.0",
        "total_aggregated_units": "0.0",
        "events_count": 0,
        "amount_cents": 0,
        "amount_currency": "CAD",
        "pricing_unit_details": None,
        "charge": {
            "code": "agents",
            "charge_model": "standard",
            "invoice_display_name": "agents used",
        },
        "billable_metric": {
            "name": "Agents",
            "code": "agents",
            "aggregation_type": "unique_count_agg",
        },
        "filters": [],
        "grouped_usage": [],
        "presentation_breakdowns": [],
    }


def test_only_the_period_counts_and_its_first_instant_does(lago_world: LagoWorld) -> None:
    start = day_start(MONTH)
    moments = [start - timedelta(microseconds=1), start, start + timedelta(hours=23)]
    counters = [
        used("odd", n, **{"from": at.isoformat(), "to": (start + timedelta(hours=24)).isoformat()})
        for n, at in enumerate(moments)
    ]
    lago_world.ours.post("/usage", {"counters": counters}).raise_for_status()
    assert lago_world.charges("odd")["messages"] == ("2.0", 2, 0)


def test_a_revision_supersedes_whenever_it_comes(lago_world: LagoWorld) -> None:
    def send(number: int, revision: int, value: str, **changes: Any) -> None:
        window = {"from": day_start(MONTH).isoformat(), "to": day_start(MONTH).isoformat()[:11]}
        window["to"] += "23:59:00+00:00"
        body = used("revised", number, value=value, revision=revision) | window | changes
        lago_world.ours.post("/usage", {"counters": [body]}).raise_for_status()

    send(0, 0, "1500")
    send(1, 1, "1400")
    assert lago_world.charges("revised")["messages"] == ("1400.0", 1, 480)
    send(2, 0, "9999")  # lower, later: superseded before it came
    send(3, 1, "50")  # the same revision from another source
    send(4, 0, "7", properties={"region": "ca"})  # another window
    assert lago_world.charges("revised")["messages"] == ("1457.0", 3, 548)  # 5.484


def test_a_meter_counts_from_its_reading_before_the_period(lago_world: LagoWorld) -> None:
    start = day_start(MONTH)
    readings = [(-48, "100"), (1, "1130"), (2, "1130"), (3, "20")]  # the last: after a reset
    counters = [
        used(
            "metered",
            n,
            kind="cumulative",
            value=reading,
            **dict.fromkeys(("from", "to"), (start + timedelta(hours=hours)).isoformat()),
        )
        for n, (hours, reading) in enumerate(readings)
    ]
    lago_world.ours.post("/usage", {"counters": counters}).raise_for_status()
    assert lago_world.charges("metered")["messages"] == ("1050.0", 3, 60)


def test_numbers_beyond_any_integer_type_stay_exact(lago_world: LagoWorld) -> None:
    most = "9" * 38
    counters = [used("huge", n, value=most) for n in range(2)]
    lago_world.ours.post("/usage", {"counters": counters}).raise_for_status()
    exact = 2 * int(most)
    cents_due = ((exact - 1000) * 12 + 5) // 10  # 0.012 a unit is 1.2 cents, half up
    assert lago_world.charges("huge")["messages"] == (f"{exact}.0", 2, cents_due)


@pytest.mark.parametrize("prefix", ["/api/v1", "/api/billing/v1"])
def test_lagos_vector_no_active_subscription(lago_world: LagoWorld, prefix: str) -> None:
    assert VECTOR["id"] == "api-current_usage-246"
    path = VECTOR["request"]["path"].replace("/C/", "/maple/").replace("/api/v1", prefix)
    answer = lago_world.ours.http.get(path)
    assert (answer.status_code, answer.json()) == (
        VECTOR["expected_status"],
        VECTOR["expected_body"],
    )


@pytest.mark.parametrize(
    ("customer", "subscription", "status", "code"),
    [
        ("stranger", "by-hand", 404, "customer_not_found"),
        ("stranger", "NOPE", 404, "customer_not_found"),
        ("nobody", "unlinked", 404, "customer_not_found"),  # no account link: nobody to bill
        ("birch", "maps", 404, "customer_not_found"),  # another service's
        ("maple", "maps", 405, "no_active_subscription"),
        ("maple", "", 405, "no_active_subscription"),
        ("maple", "linked-to-another", 405, "no_active_subscription"),
        ("other-partner", "by-hand", 405, "no_active_subscription"),
        ("maple", "ended", 405, "no_active_subscription"),
        ("maple", "churned", 405, "no_active_subscription"),
        ("maple", "future", 405, "no_active_subscription"),
    ],
)
def test_who_has_no_current_usage(
    lago_world: LagoWorld, customer: str, subscription: str, status: int, code: str
) -> None:
    answer = lago_world.usage(subscription, customer)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    ("subscription", "first", "last"),
    [
        ("ends-today", MONTH, TODAY),
        ("began-today", TODAY, NEXT_MONTH - timedelta(days=1)),
        ("empty", MONTH, NEXT_MONTH - timedelta(days=1)),
    ],
)
def test_the_period_is_cut_at_the_subscriptions_days(
    lago_world: LagoWorld, subscription: str, first: date, last: date
) -> None:
    usage = lago_world.usage(subscription).json()["customer_usage"]
    assert (usage["from_datetime"], usage["issuing_date"]) == (utc(first), last.isoformat())


@pytest.mark.parametrize("name", ["filter_by_metric_code", "billable_metric_code",
                                  "filter_by_charge_code", "charge_code"])  # fmt: skip
def test_filters(lago_world: LagoWorld, name: str) -> None:
    kept = lago_world.usage("empty", **{name: "seats"}).json()["customer_usage"]["charges_usage"]
    assert [charge["charge"]["code"] for charge in kept] == ["seats"]
    answer = lago_world.usage("empty", **{name: "map_loads"})
    assert (answer.status_code, answer.json()["code"]) == (404, "charge_not_found")


@pytest.mark.parametrize("taxes", ["true", "false", "maybe"])
def test_taxes_are_odoos(lago_world: LagoWorld, taxes: str) -> None:
    usage = lago_world.usage("by-hand", apply_taxes=taxes).json()["customer_usage"]
    assert usage["taxes_amount_cents"] == 0
    assert usage["total_amount_cents"] == usage["amount_cents"]


def test_a_plan_without_charges(lago_world: LagoWorld) -> None:
    usage = lago_world.usage("no-charges").json()["customer_usage"]
    assert (usage["charges_usage"], usage["currency"]) == ([], "CAD")


def test_before_the_first_build_it_is_503_not_500(app: Service) -> None:
    for path in (
        "/customers/maple/current_usage?external_subscription_id=x",
        "/customers/maple/past_usage?external_subscription_id=x",
        "/plans",
        "/plans/desk_team",
        "/billable_metrics",
        "/billable_metrics/messages",
    ):
        answer = app.http.get(f"/api/v1{path}")
        assert (answer.status_code, answer.json()["code"]) == (503, "service_unavailable"), path
        assert answer.headers["Retry-After"] == "60"


def test_every_period_of_random_usage_is_what_the_marts_say(lago_world: LagoWorld) -> None:
    """Two readings of the same counters: dbt's, from all of raw, and the endpoint's, from one
    subscription's. Every kind of counter, aggregation and period."""
    url = lago_world.endpoint.database_url
    ours = [f"{OURS}:{subscription.external_id}" for subscription in RANDOM]
    with psycopg.connect(url) as connection:
        periods: list[Any] = connection.execute(
            "select subscription_key, period_start, period_end"
            " from intermediate.int_subscription_periods where subscription_key = any(%s)"
            " and period_start < '2026-06-01' order by 1, 2",
            [ours],
        ).fetchall()
        marts: dict[Any, dict[str, Any]] = defaultdict(dict)
        for key, start, metric, used_, amount, counters in connection.execute(
            "select subscription_key, period_start, metric_code, quantity_used, amount,"
            " events_count from marts.fct_rated_lines where subscription_key = any(%s)"
            " and events_count > 0",
            [ours],
        ):
            marts[key, start][metric] = (used_, counters, amount)
    lines = sum(map(len, marts.values()))
    assert lines > 100
    assert len(marts) > 20

    answers = asyncio.run(_usages(url, periods))
    compared = 0
    for (key, start, end), usages in zip(periods, answers, strict=True):
        for usage in usages:
            assert usage.from_datetime == utc(start), key
            assert usage.issuing_date == (end - timedelta(days=1)).isoformat(), key
            found = {
                charge.billable_metric.code: (
                    Decimal(charge.units),
                    charge.events_count,
                    Decimal(charge.amount_cents) / 100,
                )
                for charge in usage.charges_usage
                if charge.events_count
            }
            assert found == marts[key, start], (key, start)
        compared += len(marts[key, start])
    assert compared == lines


async def _usages(url: str, periods: list[Any]) -> list[list[CustomerUsage]]:
    """For each period the usage as asked on its first and on its last day."""
    database = Database(url)
    try:
        return [
            [
                await current_usage(
                    database, OURS, Wanted("maple", key.removeprefix(f"{OURS}:")), CAD, day
                )
                for day in (start, end - timedelta(days=1))
            ]
            for key, start, end in periods
        ]
    finally:
        await database.close()


def test_an_answer_is_whole_while_dbt_replaces_the_marts(lago_world: LagoWorld) -> None:
    """A table swapped in by renaming shows an older snapshot no rows at all: no customers."""
    paths = ["/customers/maple/current_usage?external_subscription_id=empty", "/plans/desk_team"]
    whole = [lago_world.ours.http.get(f"/api/v1{path}").json() for path in paths]
    asked = 0
    with ThreadPoolExecutor(1) as pool:
        build = pool.submit(lago_world.build, *DIMENSIONS)
        while not build.done():
            for path, answer in zip(paths, whole, strict=True):
                assert lago_world.ours.http.get(f"/api/v1{path}").json() == answer
                asked += 1
        build.result()
    assert asked > 20


def test_the_roles_ingest_and_reader_are_enough(lago_world: LagoWorld) -> None:
    url = make_url(lago_world.endpoint.database_url)
    with psycopg.connect(lago_world.endpoint.database_url, autocommit=True) as admin:
        admin.execute(
            "create role lago_world_endpoint login password 'x'"
            " in role fusion_ingest, fusion_reader"
        )
        try:
            given = url.set(username="lago_world_endpoint", password="x")
            text = given.render_as_string(hide_password=False)
            usages = asyncio.run(_usages(text, [(f"{OURS}:empty", TODAY, TODAY + timedelta(1))]))
        finally:
            admin.execute("drop role lago_world_endpoint")
    assert len(usages[0]) == 2


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("0.005", "CAD", 1),
        ("-0.005", "CAD", -1),
        ("2.00499999999999999999999999999999999999", "CAD", 200),
        ("1.5", "JPY", 2),
        ("1.0005", "KWD", 1001),
        ("12345678901234567890123456789012345678901234.565", "CAD",
         1234567890123456789012345678901234567890123457),
    ],
)  # fmt: skip
def test_cents_round_half_up_by_the_currencys_digits(
    amount: str, currency: str, minor: int
) -> None:
    assert cents(Decimal(amount), currency) == minor
