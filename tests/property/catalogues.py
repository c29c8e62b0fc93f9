"""Catalogues of any pricing, and counters of any kind that are rated by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from histories import LAST_DAY, PLANS, Order, histories
from hypothesis import strategies as st

ZONE = ZoneInfo("America/Toronto")
REGIONS = ("eu", "us", "asia")
Record = dict[str, Any]


@dataclass(frozen=True)
class Metric:
    code: str
    aggregation: str
    field: str = "value"
    recurring: bool = False
    rounding: tuple[str, str] | None = None
    kinds: tuple[str, ...] = ("delta",)


METER = Metric("meter", "sum", kinds=("cumulative",))
METRICS = (
    Metric("messages", "sum", kinds=("delta", "delta", "event")),
    Metric("tokens", "sum", rounding=("ceil", "-1"), kinds=("event",)),
    METER,
    Metric("lookups", "count", kinds=("event",)),
    Metric("storage_gb", "max"),
    Metric("seats", "last"),
    Metric("agents", "unique", field="agent_id", kinds=("event",)),
    Metric("licences", "sum", recurring=True),
    Metric("members", "unique", field="agent_id", recurring=True, kinds=("event",)),
    Metric("disk", "weighted_sum", recurring=True, kinds=("delta",)),
)
# A plan's minimum commitment counts nothing.
COMMITMENT = Metric("minimum_commitment", "")
MODELS = (
    "standard", "package", "graduated", "graduated_percentage", "volume", "percentage", "dynamic",
)  # fmt: skip


@dataclass(frozen=True)
class Charge:
    """A charge of a plan; its variants differ in their filter and price."""

    plan_code: str
    metric: Metric
    variant: str
    model: str
    fields: tuple[tuple[str, Any], ...]
    tiers: tuple[tuple[tuple[str, str | None], ...], ...]
    filter: tuple[tuple[str, tuple[str, ...]], ...]


# --- catalogues --------------------------------------------------------------------------------

amounts = st.decimals("0", "50", places=4).map(str)
small = st.integers(0, 40).map(str)


@st.composite
def tier_fields(draw: st.DrawFn) -> tuple[tuple[tuple[str, str | None], ...], ...]:
    edges = sorted(draw(st.sets(st.integers(1, 30), min_size=1, max_size=3)))
    above = draw(st.sampled_from((0, 1)))  # Lago's ranges meet, or leave one between them
    froms = [0, *(edge + above for edge in edges)]
    return tuple(
        (
            ("x_from", str(start)),
            ("x_to", None if end is None else str(end)),
            ("x_unit_price", draw(amounts)),
            ("x_flat_amount", draw(st.sampled_from(("0", "0", "5", "0.3333")))),
            ("x_rate", draw(amounts)),
        )
        for start, end in zip(froms, [*edges, None], strict=True)
    )


@st.composite
def pricing(draw: st.DrawFn, metric: Metric) -> tuple[str, dict[str, Any], Any]:
    """Model, fields, tiers."""
    fits = [model for model in MODELS if model != "dynamic" or metric.code == "tokens"]
    model = draw(st.sampled_from(fits))
    fields: dict[str, Any] = {"x_included": draw(small)}
    tiers: Any = ()
    if model == "standard":
        fields["x_unit_price"] = draw(amounts)
    elif model == "package":
        fields |= {
            "x_unit_price": draw(amounts),
            "x_package_size": draw(st.integers(1, 30).map(str)),
            "x_free_units": draw(small),
        }
    elif model == "percentage":
        fields |= {
            "x_rate": draw(amounts),
            "x_fixed_amount": draw(st.one_of(st.none(), amounts)),
            "x_free_events": draw(st.one_of(st.none(), st.integers(1, 4).map(str))),
            "x_free_amount": draw(st.one_of(st.none(), st.integers(1, 90).map(str))),
        }
    elif model != "dynamic":
        tiers = draw(tier_fields())
    return model, fields, tiers


@st.composite
def charges(draw: st.DrawFn, plan_code: str, metric: Metric) -> list[Charge]:
    """The variants of one charge: a default one, or two with filters beside it or alone."""
    shared: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 0:
        shared["x_pricing_group_keys"] = draw(st.sampled_from(("region", "region,cloud")))
    if metric.recurring and metric.aggregation != "weighted_sum":
        shared["x_prorated"] = draw(st.booleans())
    filters = draw(
        st.sampled_from(
            (
                (("", ()),),
                (("", ()),),
                (("", ()), ("eu", (("region", ("eu",)),))),
                (
                    ("", ()),
                    ("any", (("region", ("__ALL_FILTER_VALUES__",)),)),
                    ("aws", (("region", ("eu", "us")), ("cloud", ("aws",)))),
                ),
                (("eu", (("region", ("eu",)),)),),
            )
        )
    )
    made = []
    for variant, accepted in filters:
        model, fields, tiers = draw(pricing(metric))
        if variant == "" and draw(st.integers(0, 4)) == 0:
            fields["x_min_amount"] = draw(amounts)
        made.append(
            Charge(
                plan_code, metric, variant, model, tuple((fields | shared).items()), tiers, accepted
            )
        )
    return made


@st.composite
def catalogues(draw: st.DrawFn) -> list[Charge]:
    """Charges of every plan, one with a minimum commitment; a metric may have none in a plan."""
    minimum = (("x_min_amount", draw(st.integers(50, 400).map(str))),)
    commitment = Charge(PLANS[0], COMMITMENT, "", "minimum_commitment", minimum, (), ())
    return [
        commitment,
        *(
            charge
            for plan_code in PLANS
            for metric in METRICS
            if draw(st.integers(0, 9))
            for charge in draw(charges(plan_code, metric))
        ),
    ]


def records(catalogue: list[Charge]) -> dict[str, list[Record]]:
    """The mirror's records of a catalogue, by table."""
    ids = {metric.code: number for number, metric in enumerate(METRICS, 1)}
    metrics = [
        {
            "id": ids[metric.code],
            "x_name": metric.code.title(),
            "x_code": metric.code,
            "x_aggregation": metric.aggregation,
            "x_field_name": metric.field,
            "x_recurring": metric.recurring,
            "x_rounding_function": metric.rounding[0] if metric.rounding else None,
            "x_rounding_precision": metric.rounding[1] if metric.rounding else None,
            "x_metric_filters": json.dumps({"region": REGIONS, "cloud": ["aws", "gcp"]}),
        }
        for metric in METRICS
    ]
    charge_records = [
        {
            "id": number,
            "x_name": charge.metric.code,
            "x_code": charge.metric.code,
            "x_plan_code": charge.plan_code,
            "x_metric_id": ids.get(charge.metric.code),
            "x_variant": charge.variant or None,
            "x_charge_model": charge.model,
            "x_currency": "CAD",
            "x_filter": json.dumps(dict(charge.filter)) if charge.filter else None,
            **dict(charge.fields),
        }
        for number, charge in enumerate(catalogue, 1)
    ]
    tiers = [
        {"id": 10 * number + position, "x_charge_id": number, **dict(tier)}
        for number, charge in enumerate(catalogue, 1)
        for position, tier in enumerate(charge.tiers)
    ]
    return {"metric": metrics, "charge": charge_records, "charge_tier": tiers}


# --- counters ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Used:
    """One counter, event or reading: `number` tells those of a subscription apart and is its
    microsecond, so that no two of one metric are of the same instant."""

    number: int
    metric: Metric
    kind: str
    day: date
    second: int
    value: str
    properties: tuple[tuple[str, str], ...]
    revision: int = 0
    cents: str | None = None

    @property
    def start(self) -> datetime:
        begin = datetime.combine(self.day, time(), ZONE).timestamp() + self.second
        return datetime.fromtimestamp(begin, ZONE) + timedelta(microseconds=self.number)

    @property
    def is_readable(self) -> bool:
        if self.kind != "event" or self.metric.aggregation == "count":
            return True
        found = dict(self.properties).get(self.metric.field)
        return found is not None and (self.metric.aggregation == "unique" or found != "many")


properties = st.fixed_dictionaries(
    {},
    optional={
        "region": st.sampled_from((*REGIONS, "")),
        "cloud": st.sampled_from(("aws", "gcp", "own")),
        "note": st.sampled_from(("a", "b")),
    },
)
metrics = st.sampled_from((*METRICS, METER, METER, METER))
days_after = st.one_of(st.integers(0, 45), st.integers(-3, 300))
values = st.one_of(
    st.integers(0, 30).map(str), st.decimals("-5", "60", places=3).map(str), st.just("0")
)


@st.composite
def used(draw: st.DrawFn, number: int, first: date) -> list[Used]:
    """A counter from about the first day of service on, and now and then a revision of it."""
    metric = draw(metrics)
    kind = draw(st.sampled_from(metric.kinds))
    # Readings follow one another only where their properties are the same.
    told = {} if kind == "cumulative" else draw(properties)
    value = draw(values)
    cents = None
    if kind == "event":
        if metric.aggregation == "unique":
            told["agent_id"] = draw(st.sampled_from(("ann", "bob", "cem", "dee")))
            told["operation_type"] = draw(st.sampled_from(("add", "add", "remove")))
        else:
            told["value"] = draw(st.sampled_from((value, value, value, "many")))
        if metric.code == "tokens":
            cents = draw(st.decimals("0", "900", places=3).map(str))
    made = Used(
        number,
        metric,
        kind,
        min(first + timedelta(days=draw(days_after)), LAST_DAY),
        draw(st.sampled_from((0, 1, 3600, 7200, 43200, 79200, 82799))),
        value,
        tuple(told.items()),
        cents=cents,
    )
    if kind == "event" or draw(st.integers(0, 5)):
        return [made]
    return [made, replace(made, revision=draw(st.integers(1, 3)), value=draw(values))]


@st.composite
def subscriptions(draw: st.DrawFn) -> tuple[tuple[Order, ...], tuple[Used, ...]]:
    """A history with its counters."""
    orders = draw(histories())
    counters = [
        made
        for number in range(draw(st.integers(0, 20)))
        for made in draw(used(number, orders[0].start))
    ]
    return orders, tuple(counters)


def item(position: int, counter: Used) -> Record:
    """What the app of subscription `s<position>` sends."""
    sent: Record = {
        "external_subscription_id": f"s{position}",
        "code": counter.metric.code,
        "transaction_id": f"t{position}.{counter.number}.{counter.revision}",
        "properties": dict(counter.properties),
    }
    if counter.kind == "event":
        sent["timestamp"] = f"{counter.start.timestamp():.6f}"
        if counter.cents is not None:
            sent["precise_total_amount_cents"] = counter.cents
        return sent
    return sent | {
        "from": counter.start.isoformat(),
        "to": (counter.start + timedelta(hours=1)).isoformat(),
        "value": counter.value,
        "kind": counter.kind,
        "revision": counter.revision,
    }


def requests(items: list[Record], sizes: list[int]) -> Iterator[list[Record]]:
    """The items in this order, in requests of these sizes over and over; a request holds either
    counters or events."""
    edges = [0]
    while edges[-1] < len(items):
        edges.append(edges[-1] + sizes[len(edges) % len(sizes)])
    for first, last in pairwise(edges):
        for events in (False, True):
            chosen = [one for one in items[first:last] if ("timestamp" in one) is events]
            if chosen:
                yield chosen
