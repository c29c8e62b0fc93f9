"""The demo's services, metrics, plans and charges: what finance keeps in Odoo. Prices in CAD."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

NEXACLOUD = "nexacloud"
NEXADESK = "nexadesk"
NEXAMAPS = "nexamaps"
NEXACLUB = "nexaclub"
SERVICES = (NEXACLOUD, NEXADESK, NEXAMAPS, NEXACLUB)
BILLED_BY_APPS = (NEXACLOUD, NEXADESK, NEXAMAPS)
CURRENCY = "CAD"


@dataclass(frozen=True)
class MetricSpec:
    """`aggregation` as in odoo_gateway.schema.AGGREGATIONS; `field_name` for Lago events."""

    code: str
    name: str
    aggregation: str
    unit: str
    service_code: str
    field_name: str | None = None


@dataclass(frozen=True)
class ChargeSpec:
    """Quantity above `included` costs `unit_price` CAD each. The charge's code is its metric's."""

    code: str
    name: str
    included: Decimal
    unit_price: Decimal


@dataclass(frozen=True)
class PlanSpec:
    code: str
    name: str
    service_code: str
    base_fee: Decimal
    charges: tuple[ChargeSpec, ...]

    def charge(self, metric_code: str) -> ChargeSpec | None:
        return next((charge for charge in self.charges if charge.code == metric_code), None)


METRICS = (
    MetricSpec("compute_hours", "Compute hours", "sum", "hours", NEXACLOUD),
    MetricSpec("storage_gb", "Storage", "max", "GB", NEXACLOUD),
    MetricSpec("messages", "Messages", "sum", "messages", NEXADESK),
    MetricSpec("agents", "Active agents", "unique", "agents", NEXADESK, "agent_id"),
    MetricSpec("map_loads", "Map loads", "sum", "loads", NEXAMAPS),
    MetricSpec("geocodes", "Geocodes", "count", "requests", NEXAMAPS),
    # Counted, but no plan has a charge for it: usage that must show up as unpriced.
    MetricSpec("route_plans", "Route plans", "sum", "routes", NEXAMAPS),
    MetricSpec("seats", "Seats", "last", "seats", NEXACLUB),
)


def _charge(code: str, name: str, included: str, unit_price: str) -> ChargeSpec:
    return ChargeSpec(code, name, Decimal(included), Decimal(unit_price))


PLANS = (
    PlanSpec(
        "cloud_s",
        "NexaCloud S",
        NEXACLOUD,
        Decimal("19.00"),
        (
            _charge("compute_hours", "Compute hours", "100", "0.085"),
            _charge("storage_gb", "Storage, GB", "20", "0.12"),
        ),
    ),
    PlanSpec(
        "cloud_m",
        "NexaCloud M",
        NEXACLOUD,
        Decimal("99.00"),
        (
            _charge("compute_hours", "Compute hours", "1000", "0.0725"),
            _charge("storage_gb", "Storage, GB", "200", "0.10"),
        ),
    ),
    PlanSpec(
        "desk_team",
        "NexaDesk Team",
        NEXADESK,
        Decimal("29.00"),
        (
            _charge("messages", "Messages", "1000", "0.012"),
            _charge("agents", "Active agents", "3", "9.00"),
        ),
    ),
    PlanSpec(
        "desk_business",
        "NexaDesk Business",
        NEXADESK,
        Decimal("149.00"),
        (
            _charge("messages", "Messages", "20000", "0.0085"),
            _charge("agents", "Active agents", "10", "7.50"),
        ),
    ),
    PlanSpec(
        "maps_growth",
        "NexaMaps Growth",
        NEXAMAPS,
        Decimal("49.00"),
        (
            _charge("map_loads", "Map loads", "10000", "0.0023"),
            _charge("geocodes", "Geocodes", "500", "0.004"),
        ),
    ),
    PlanSpec(
        "club_member",
        "NexaClub membership",
        NEXACLUB,
        Decimal("12.00"),
        (_charge("seats", "Seats", "1", "4.25"),),
    ),
)
