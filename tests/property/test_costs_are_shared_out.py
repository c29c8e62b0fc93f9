"""Any costs, any usage: nothing is lost on the way to the accounts, to the last digit, and nobody
bears a cent more or less than their share of a month."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import psycopg
import pytest
from drawing import Findings, drawn, fixed_seed
from landed import build
from shared_costs import METRICS, RATES, SEGMENTS, UNKNOWN, Bearer, Cost, World, worlds

from warehouse.dbt_project import run_dbt
from warehouse.settings import Settings

HERE = "tests/property/test_costs_are_shared_out.py"
EXAMPLES = 200
CENT, MILLIONTH = Fraction(1, 100), Fraction(1, 1_000_000)
MODELS = (
    "stg_costs__provider_costs",
    "stg_ops__cost_drivers",
    "int_costs_converted",
    "int_costs_allocated",
    "fct_cogs_daily",
    "fct_cogs_monthly",
)
ONLY_THEIR_TESTS = (
    "--indirect-selection", "cautious", "--exclude-resource-type", "unit_test",
)  # fmt: skip
COLUMNS = "quantity, amount, amount_company"


def own(position: int, name: str | None) -> str | None:
    """The worlds stand beside each other: each has services, providers and metrics of its own."""
    return None if name is None else f"w{position}_{name}"


def account(position: int, service: str | None, name: str | None) -> str | None:
    return None if name is None else f"{own(position, service)}:{name}"


def named(position: int, who: Bearer) -> Bearer:
    """As the marts name them."""
    return Bearer(own(position, who.service), account(position, who.service, who.account), who.plan)


def key_of(position: int, cost: Cost) -> str:
    return f"{position}/{'/'.join(map(str, cost.told))}"


def test_costs_are_shared_out(new_database: Any, folder: Path) -> None:
    check(new_database(), folder, fixed_seed())


@pytest.mark.slow
def test_costs_are_shared_out_of_other_seeds(new_database: Any, folder: Path) -> None:
    url = new_database()
    for _ in range(10):
        check(url, folder, random.randrange(10**9))


def check(database_url: str, folder: Path, world_seed: int) -> None:
    examples = drawn(worlds, EXAMPLES, world_seed)
    # The tables that the worlds are put into; then what is made of them, with its data tests.
    build(database_url, folder, "+int_costs_allocated")
    with psycopg.connect(database_url) as connection:
        put(connection, examples)
    settings = Settings(_env_file=None, fusion_home=folder)
    run_dbt(database_url, settings, "build", "--quiet", "--select", *MODELS, *ONLY_THEIR_TESTS)
    findings = Findings(world_seed, HERE)
    with psycopg.connect(database_url) as connection:
        for position, world in enumerate(examples):
            of_days(findings, connection, position, world)
            of_months(findings, connection, position, world)
    findings.report()


def put(connection: psycopg.Connection[Any], examples: list[World]) -> None:
    connection.execute(
        "truncate raw.provider_cost, ops.cost_driver, raw.odoo_metric, marts.fct_usage_daily,"
        " intermediate.int_subscription_segments, intermediate.int_currency_rates_daily"
    )
    cursor = connection.cursor()
    rates = [(name, float(rate)) for name, rate in RATES.items() if name != "CAD"]
    cursor.executemany(
        "insert into intermediate.int_currency_rates_daily (currency, valid_from, rate)"
        " values (%s, '2026-09-01', %s)",
        rates,
    )
    costs, drivers, metrics, usage, segments = [], [], [], [], []
    for position, world in enumerate(examples):
        costs += [
            (cost.source, key_of(position, cost), own(position, cost.provider), cost.sku, cost.day,
             own(position, cost.service), cost.account, cost.quantity, cost.amount, cost.currency)
            for cost in world.costs
        ]  # fmt: skip
        for (provider, sku), metric in world.drivers.items():
            drivers.append((own(position, provider), sku, own(position, metric)))
        metrics += [json.dumps({"x_code": own(position, metric)}) for metric in METRICS]
        for segment in SEGMENTS:
            named = account(position, segment.service, segment.account)
            subscription = own(position, segment.subscription)
            segments.append((subscription, named, segment.start, segment.end, segment.plan))
        for (day, metric, subscription), quantity in world.usage.items():
            segment = next(each for each in SEGMENTS if each.subscription == subscription)
            usage.append(
                (own(position, subscription), own(position, metric), day,
                 own(position, segment.service),
                 account(position, segment.service, segment.account), quantity)
            )  # fmt: skip
    cursor.executemany(
        "insert into raw.provider_cost (source, cost_key, provider, sku, day, service_code,"
        " external_account_id, quantity, amount, currency, file)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 'drawn')",
        costs,
    )
    cursor.executemany(
        "insert into ops.cost_driver (provider, sku, metric_code) values (%s, %s, %s)", drivers
    )
    cursor.executemany(
        "insert into raw.odoo_metric (id, write_date, record)"
        " values (%s, '2026-09-01T00:00Z', %s::jsonb)",
        list(enumerate(metrics)),
    )
    cursor.executemany(
        "insert into intermediate.int_subscription_segments"
        " (subscription_key, account_key, segment_start, segment_end, plan_code)"
        " values (%s, %s, %s, %s, %s)",
        segments,
    )
    cursor.executemany(
        "insert into marts.fct_usage_daily (subscription_key, metric_code, local_day,"
        " service_code, account_key, quantity) values (%s, %s, %s, %s, %s, %s)",
        usage,
    )


def of_days(
    findings: Findings, connection: psycopg.Connection[Any], position: int, world: World
) -> None:
    """The rows of a cost are that cost, and each is its bearer's share to the last digit."""
    rows: dict[str, list[Any]] = defaultdict(list)
    for key, service, bearer, plan, allocation, reason, *values in connection.execute(
        f"select cost_key, service_code, account_key, plan_code, allocation, allocation_reason,"
        f" {COLUMNS} from marts.fct_cogs_daily where provider like %s",
        [f"w{position}\\_%"],
    ):
        rows[key].append((Bearer(service, bearer, plan), allocation, reason, values))
    counted = {f"{cost.source}:{key_of(position, cost)}": cost for cost in world.counted()}
    findings.compare(world, sorted(rows), sorted(counted))
    for key, cost in counted.items():
        shares = {named(position, who): part for who, part in world.shares(cost).items()}
        found = {who: (allocation, reason) for who, allocation, reason, _ in rows[key]}
        findings.compare((cost, world), found, dict.fromkeys(shares, fate(world, cost, shares)))
        company = in_company_currency(cost)
        for column, whole in enumerate((cost.quantity, cost.amount, company)):
            total = sum((values[column] for *_, values in rows[key]), Decimal(0))
            findings.compare((cost, world), total, whole)
            digits = 6 if column == 2 else max(6, -int(whole.as_tuple().exponent))
            for who, *_, values in rows[key]:
                off = abs(Fraction(values[column]) - shares.get(who, 0) * Fraction(whole))
                findings.compare((cost, who, world), off < Fraction(1, 10**digits), True)


def fate(world: World, cost: Cost, shares: dict[Bearer, Fraction]) -> tuple[str, str | None]:
    if cost.account is not None:
        return "direct", None
    if next(iter(shares)).account is not None:
        return "shared", None
    driver = world.driver(cost)
    why = {None: "no_driver", UNKNOWN: "unknown_metric"}.get(driver, "no_usage")
    return "unallocated", why


def in_company_currency(cost: Cost) -> Decimal:
    """Six decimals, half away from zero."""
    exact = abs(Fraction(cost.amount)) / RATES[cost.currency]
    units = int(exact / MILLIONTH + Fraction(1, 2))
    return (units * Decimal("0.000001")).copy_sign(cost.amount) if units else Decimal(0)


def of_months(
    findings: Findings, connection: psycopg.Connection[Any], position: int, world: World
) -> None:
    """Cents: together the rounded month, and each within a cent of its bearer's exact share."""
    exact: dict[Any, Fraction] = defaultdict(Fraction)
    totals: dict[Any, Decimal] = defaultdict(Decimal)
    parts: dict[Any, int] = defaultdict(int)
    for cost in world.counted():
        company = in_company_currency(cost)
        services = own(position, cost.service), own(position, cost.provider)
        group = (cost.day.replace(day=1), *services, cost.sku)
        totals[group] += company
        for who, share in world.shares(cost).items():
            exact[group, named(position, who)] += share * Fraction(company)
            parts[group, named(position, who)] += 1
    cents: dict[Any, Decimal] = {}
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for month, cost_service, provider, sku, service, bearer, plan, amount in connection.execute(
        "select month, cost_service_code, provider, sku, service_code, account_key, plan_code,"
        " amount_company from marts.fct_cogs_monthly where provider like %s",
        [f"w{position}\\_%"],
    ):
        group = (month, cost_service, provider, sku)
        cents[group, Bearer(service, bearer, plan)] = amount
        sums[group] += amount
    findings.compare(world, sorted(cents, key=str), sorted(exact, key=str))
    for group, total in totals.items():
        rounded = total.quantize(Decimal("0.01"), ROUND_HALF_UP)
        findings.compare((group, world), sums[group], rounded)
    for key, amount in cents.items():
        off = abs(Fraction(amount) - exact[key])
        # A day's share is known to a millionth.
        findings.compare((key, world), off < CENT + parts[key] * MILLIONTH, True)


def test_the_worlds_hold_what_matters() -> None:
    """Every fate, credits, ties, two sources of one cost, and costs that all services share."""
    seen = set()
    for world in drawn(worlds, EXAMPLES, fixed_seed()):
        counted = list(world.counted())
        if len(counted) < len(world.costs):
            seen.add("told twice")
        for cost in counted:
            shares = world.shares(cost)
            kind, reason = fate(world, cost, shares)
            seen.add(reason or kind)
            if kind == "shared":
                seen.add("a credit shared" if cost.amount < 0 else "a cost shared")
                if cost.service is None and len({who.service for who in shares}) > 1:
                    seen.add("services share")
                if len(set(shares.values())) < len(shares):
                    seen.add("a tie")
    assert seen == {
        "told twice", "direct", "shared", "no_driver", "unknown_metric", "no_usage",
        "a credit shared", "a cost shared", "services share", "a tie",
    }  # fmt: skip
