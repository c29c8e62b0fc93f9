"""The month's figures, computed exactly. The Summary sheet shows them as live formulas; its stored
results come from here, and a close judges by them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from exports.finance.marts import MonthData, Row

CENT = Decimal("0.01")
ZERO = Decimal(0)
REASONS = ("period", "late_usage", "correction")


@dataclass(frozen=True)
class ServiceFigures:
    """One service in company currency, every amount rounded half-up to the cent; an empty name for
    what belongs to none."""

    service: str
    usage_revenue: Decimal
    base_revenue: Decimal
    cogs: Decimal
    lines: int
    lines_amount: Decimal
    by_reason: dict[str, Decimal]  # its parts, one per REASONS
    rated: Decimal  # what should be billed of the periods that end in the month

    @property
    def revenue(self) -> Decimal:
        return self.usage_revenue + self.base_revenue

    @property
    def margin(self) -> Decimal:
        return self.revenue - self.cogs


@dataclass(frozen=True)
class Figures:
    """The services and what the checks found. None where a mart without rows checks nothing."""

    services: list[ServiceFigures]
    counters_difference: Decimal | None  # the largest of any metric, without sign
    quantity_difference: Decimal | None
    unexplained: int | None
    foreign_lines: int  # lines in another currency than the company's: in no sum here
    margin_revenue_gap: Decimal  # usage + base − revenue over the Margin sheet
    margin_gap: Decimal  # revenue − COGS − margin over the Margin sheet
    uncovered_revenue: Decimal  # revenue on the Margin sheet that no service of the Summary has

    @property
    def usage_revenue(self) -> Decimal:
        return sum((s.usage_revenue for s in self.services), ZERO)

    @property
    def revenue(self) -> Decimal:
        return sum((s.revenue for s in self.services), ZERO)

    @property
    def cogs(self) -> Decimal:
        return sum((s.cogs for s in self.services), ZERO)

    @property
    def lines_amount(self) -> Decimal:
        return sum((s.lines_amount for s in self.services), ZERO)

    @property
    def rated(self) -> Decimal:
        return sum((s.rated for s in self.services), ZERO)

    @property
    def footing_difference(self) -> Decimal:
        """The billed lines less what is rated for their periods; 0 where nothing is open."""
        return self.lines_amount - self.rated


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def _sum(rows: list[Row], name: str) -> Decimal:
    return sum((value for row in rows if isinstance(value := row[name], Decimal)), ZERO)


def _largest(rows: list[Row], name: str) -> Decimal | None:
    values = [Decimal(v) for row in rows if isinstance(v := row[name], Decimal | int)]
    return max((abs(value) for value in values), default=None)


def _service(service: str, lines: list[Row], margin: list[Row], rated: Decimal) -> ServiceFigures:
    return ServiceFigures(
        service=service,
        usage_revenue=cents(_sum(margin, "usage_revenue")),
        base_revenue=cents(_sum(margin, "base_revenue")),
        cogs=cents(_sum(margin, "cogs")),
        lines=len(lines),
        lines_amount=cents(_sum(lines, "amount")),
        by_reason={
            reason: cents(_sum([row for row in lines if row["reason"] == reason], "amount"))
            for reason in REASONS
        },
        rated=cents(rated),
    )


def figures(data: MonthData, company_currency: str) -> Figures:
    """The figures of the month in `company_currency`."""
    lines = [row for row in data.lines.rows if row["currency"] == company_currency]
    margin, conservation = data.margin.rows, data.conservation.rows
    reconciliation = data.reconciliation.rows
    rated = {
        service: amount
        for (service, currency), amount in data.rated.items()
        if currency == company_currency
    }
    found = {str(row["service_code"] or "") for row in lines + margin} | rated.keys()
    services = [
        _service(
            name,
            [row for row in lines if (row["service_code"] or "") == name],
            [row for row in margin if (row["service_code"] or "") == name],
            rated.get(name, ZERO),
        )
        for name in sorted(found, key=lambda name: (not name, name))
    ]
    revenue = _sum(margin, "revenue")
    unexplained = [
        row
        for row in reconciliation
        if row["status"] == "difference" and row["reason"] == "unexplained"
    ]
    return Figures(
        services=services,
        counters_difference=_largest(conservation, "counters_difference"),
        quantity_difference=_largest(conservation, "quantity_difference"),
        unexplained=len(unexplained) if reconciliation else None,
        foreign_lines=len(data.lines.rows) - len(lines),
        margin_revenue_gap=cents(
            _sum(margin, "usage_revenue") + _sum(margin, "base_revenue") - revenue
        ),
        margin_gap=cents(revenue - _sum(margin, "cogs") - _sum(margin, "margin")),
        uncovered_revenue=cents(revenue - sum((s.revenue for s in services), ZERO)),
    )
