"""fusion_api's daily provider costs for the demo, and what the shared ones follow.

Some name their account, some are shared by a service and follow a metric; one is shared by all
services, and one has no driver and stays unallocated.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from sandbox.catalogue import NEXACLOUD, NEXADESK, NEXAMAPS
from sandbox.model import CONFLICT, World
from sandbox.usage import counters

_MICRO = Decimal("0.000001")
# Provider, SKU, metric. Of what Twilio charges for its numbers nobody can say who caused it.
DRIVERS = (
    ("openai", "*", "messages"),
    ("ovh", "*", "compute_hours"),
    ("google_maps", "dynamic_maps", "map_loads"),
    ("google_maps", "geocoding", "geocodes"),
    ("cloudflare", "bandwidth_gb", "map_loads"),
)


@dataclass(frozen=True)
class CostRow:
    """`amount` in `currency`, exact to a millionth; no account: the service shares the cost; no
    service: all of them do."""

    provider: str
    sku: str
    day: date
    service_code: str
    external_account_id: str
    quantity: Decimal
    amount: Decimal
    currency: str


def write_costs(world: World, folder: Path) -> Path:
    """Writes `provider-costs.csv` and the same as `provider-costs.parquet`; returns the CSV."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = sorted(cost_rows(world), key=lambda row: (row.day, astuple(row)[:5]))
    path = folder / "provider-costs.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(field.name for field in fields(CostRow))
        writer.writerows(astuple(row) for row in rows)
    pq.write_table(_table(rows), path.with_suffix(".parquet"))
    return path


def write_drivers(folder: Path) -> Path:
    """Writes `cost-drivers.yml`, as `fusion-billing costs drivers apply` takes it."""
    path = folder / "cost-drivers.yml"
    drivers = [dict(zip(("provider", "sku", "metric"), each, strict=True)) for each in DRIVERS]
    path.write_text(yaml.safe_dump({"drivers": drivers}, sort_keys=False), encoding="utf-8")
    return path


def cost_rows(world: World) -> Iterator[CostRow]:
    """Costs of every local day from `first` to the day before the demo date."""
    account_of = {s.key: s.external_account_id for s in world.subscriptions}
    plan_of = {s.key: s.plan_code for s in world.subscriptions}
    used: dict[tuple[str, str, date], Decimal] = defaultdict(Decimal)
    for counter in counters(world):
        if counter.phase == CONFLICT or counter.subscription_key not in account_of:
            continue
        value = Decimal(1) if counter.value is None else counter.value
        used[counter.subscription_key, counter.code, counter.window_start.date()] += value

    messages: dict[date, Decimal] = defaultdict(Decimal)
    shared_hours: dict[date, Decimal] = defaultdict(Decimal)
    loads: dict[date, Decimal] = defaultdict(Decimal)
    for (key, code, day), quantity in used.items():
        account = account_of[key]
        if code == "messages":
            messages[day] += quantity
        elif code == "map_loads":
            loads[day] += quantity
            yield _row("google_maps", "dynamic_maps", day, NEXAMAPS, account, quantity, "0.00091")
        elif code == "geocodes":
            yield _row("google_maps", "geocoding", day, NEXAMAPS, account, quantity, "0.0017")
        elif code == "compute_hours":
            # Network and spare hosts: every hour has its part in them, on whatever plan.
            shared_hours[day] += quantity
            if plan_of[key] == "cloud_m":
                yield _row("ovh", "dedicated_hour", day, NEXACLOUD, account, quantity, "0.0262")

    rng = Random(f"fusion:{world.seed}:{world.first}:costs")
    for day, quantity in sorted(messages.items()):
        tokens = quantity * rng.randint(380, 460)
        million = Decimal(1_000_000)
        share = {"gpt_input": ("0.75", "0.40"), "gpt_output": ("0.25", "1.60")}
        for sku, (part, price) in share.items():
            yield _row(
                "openai", sku, day, NEXADESK, "", tokens * Decimal(part), Decimal(price) / million
            )
    for day, quantity in sorted(shared_hours.items()):
        yield _row("ovh", "shared_hour", day, NEXACLOUD, "", quantity, "0.0055")
    for day, quantity in sorted(loads.items()):
        # One bill for all services; who loads maps fills the line.
        gigabytes = (quantity * Decimal("0.00035")).quantize(_MICRO, ROUND_HALF_UP)
        yield _row("cloudflare", "bandwidth_gb", day, "", "", gigabytes, "0.045")
    day = world.first
    while day < world.demo_date:
        yield _row("twilio", "number", day, NEXADESK, "", Decimal(18), "0.0383")
        # The rack in Beauharnois is billed in Canadian dollars.
        yield _row("ovh", "rack", day, NEXACLOUD, "", Decimal(1), "41.50", currency="CAD")
        day += timedelta(days=1)


def _row(
    provider: str,
    sku: str,
    day: date,
    service: str,
    account: str,
    quantity: Decimal,
    price: str | Decimal,
    *,
    currency: str = "USD",
) -> CostRow:
    amount = (quantity * Decimal(price)).quantize(_MICRO, ROUND_HALF_UP)
    return CostRow(provider, sku, day, service, account, quantity, amount, currency)


def _table(rows: list[CostRow]) -> pa.Table:
    number = pa.decimal128(24, 6)
    types = {"day": pa.date32(), "quantity": number, "amount": number}
    columns = {
        field.name: pa.array(
            [getattr(row, field.name) for row in rows], types.get(field.name, pa.string())
        )
        for field in fields(CostRow)
    }
    return pa.table(columns)
