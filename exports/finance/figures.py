"""The month's figures, computed exactly. Workbook and page show them; the workbook as live formulas
whose stored results come from here. A close judges by them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal

from exports.finance.columns import NO_ACCOUNT, NO_SERVICE
from exports.finance.exceptions import exceptions
from exports.finance.marts import MonthData
from exports.finance.tables import Row

CENT = Decimal("0.01")
ZERO = Decimal(0)
_WIDE = Context(prec=60, rounding=ROUND_HALF_UP)  # a sum of many digits has cents as well
# The ledger's reasons, as finance tells them apart; a line that was voided is a correction too.
REASONS = {
    "Billed on time": ("period",),
    "Late usage": ("late_usage",),
    "Corrections": ("correction", "void"),
}
ON_TIME, LATE, CORRECTIONS = REASONS
AGREED = ("match", "not_compared")


@dataclass(frozen=True)
class Earned:
    """Revenue on both bases and cost of a service, an account or a month, to the cent."""

    usage_revenue: Decimal
    base_revenue: Decimal
    cogs: Decimal
    invoiced_revenue: Decimal

    @property
    def revenue(self) -> Decimal:
        return self.usage_revenue + self.base_revenue

    @property
    def margin(self) -> Decimal:
        return self.revenue - self.cogs

    @property
    def margin_ratio(self) -> Decimal | None:
        """Margin of revenue, 1 for all of it; None without revenue, or with less than none."""
        return self.margin / self.revenue if self.revenue > 0 else None


@dataclass(frozen=True)
class Billed:
    """A service's usage lines in company currency. `rated` is what they should add up to."""

    service: str
    lines: int
    amount: Decimal
    by_reason: dict[str, Decimal]  # its parts, one per REASONS
    rated: Decimal

    @property
    def not_billed(self) -> Decimal:
        return self.amount - self.rated


@dataclass(frozen=True)
class Flow:
    """From usage to invoice. `included` is what plans include, at each line's price; `invoiced`
    is what posted invoices say of the lines, less posted credit notes."""

    included: Decimal
    on_time: Decimal
    late: Decimal
    corrections: Decimal
    not_invoiced: Decimal
    differs: Decimal

    @property
    def usage(self) -> Decimal:
        return self.included + self.on_time

    @property
    def billed(self) -> Decimal:
        return self.on_time + self.late + self.corrections

    @property
    def invoiced(self) -> Decimal:
        return self.billed - self.not_invoiced + self.differs


@dataclass(frozen=True)
class Counted:
    """Differences of one reason, or exceptions of one kind: how many, and what they amount to."""

    name: str
    count: int
    first: Decimal  # app less platform; the amount
    second: Decimal = ZERO  # Odoo less platform


@dataclass(frozen=True)
class Point:
    """A service in a month, for the trend."""

    month: dt.date
    service: str
    earned: Earned


@dataclass(frozen=True)
class Account:
    service: str
    account: str
    customer: str
    earned: Earned


@dataclass(frozen=True)
class Figures:
    """Everything that workbook and page show of a month beside its rows."""

    currency: str
    services: list[tuple[str, Earned]]
    billed: list[Billed]
    flow: Flow
    outcomes: list[Counted]  # of the reconciliation, by reason; then match, not_compared
    exceptions: list[Row]
    exception_kinds: list[Counted]
    trend: list[Point]
    accounts: list[Account]  # the largest revenue first

    @property
    def total(self) -> Earned:
        return added([earned for _, earned in self.services])

    @property
    def reasons(self) -> list[Counted]:
        """The outcomes that are differences."""
        return [outcome for outcome in self.outcomes if outcome.name not in AGREED]


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, context=_WIDE)


def amount_of(row: Row, name: str) -> Decimal:
    return value if isinstance(value := row[name], Decimal) else ZERO


def total_of(rows: list[Row], name: str) -> Decimal:
    return sum((amount_of(row, name) for row in rows), ZERO)


def _earned(rows: list[Row]) -> Earned:
    names = ("usage_revenue", "base_revenue", "cogs", "invoiced_revenue")
    return Earned(*(cents(total_of(rows, name)) for name in names))


def added(parts: list[Earned]) -> Earned:
    return Earned(
        sum((part.usage_revenue for part in parts), ZERO),
        sum((part.base_revenue for part in parts), ZERO),
        sum((part.cogs for part in parts), ZERO),
        sum((part.invoiced_revenue for part in parts), ZERO),
    )


def _billed(service: str, lines: list[Row], rated: Decimal) -> Billed:
    return Billed(
        service=service,
        lines=len(lines),
        amount=cents(total_of(lines, "amount")),
        by_reason={
            name: cents(total_of([row for row in lines if row["reason"] in reasons], "amount"))
            for name, reasons in REASONS.items()
        },
        rated=cents(rated),
    )


def _flow(lines: list[Row], included: Decimal) -> Flow:
    def of(name: str) -> Decimal:
        return total_of([row for row in lines if row["reason"] in REASONS[name]], "amount")

    # Not by the state of the newest document: that may be the draft of a credit note.
    posted = [row for row in lines if row["odoo_invoiced"] is not None]
    billed, on_invoices = total_of(lines, "amount"), total_of(posted, "amount")
    return Flow(
        included=cents(included),
        on_time=cents(of(ON_TIME)),
        late=cents(of(LATE)),
        corrections=cents(of(CORRECTIONS)),
        not_invoiced=cents(billed - on_invoices),
        differs=cents(total_of(posted, "odoo_invoiced") - on_invoices),
    )


def _outcome(row: Row) -> str:
    return str(row["reason"] if row["status"] == "difference" else row["status"])


def _outcomes(rows: list[Row], currency: str) -> list[Counted]:
    """Differences by reason first, as the rows stand, then what agrees or is not compared. A row in
    another currency counts, but stands in no sum."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(_outcome(row), []).append(row)

    def summed(mine: list[Row], name: str) -> Decimal:
        return cents(total_of([row for row in mine if row["currency"] == currency], name))

    return [
        Counted(name, len(mine), summed(mine, "app_delta"), summed(mine, "odoo_delta"))
        for name, mine in groups.items()
    ]


def _kinds(rows: list[Row]) -> list[Counted]:
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(str(row["kind"]), []).append(row)
    return [
        Counted(name, len(mine), cents(total_of(mine, "amount"))) for name, mine in groups.items()
    ]


def _account(row: Row) -> Account:
    return Account(
        str(row["service_code"] or NO_SERVICE),
        str(row["account_key"] or NO_ACCOUNT),
        str(row["partner_name"] or ""),
        _earned([row]),
    )


def _trend(rows: list[Row]) -> list[Point]:
    return [
        Point(month, str(row["service_code"] or NO_SERVICE), _earned([row]))
        for row in rows
        if isinstance(month := row["month"], dt.date)
    ]


def figures(data: MonthData, company_currency: str) -> Figures:
    """The figures of the month in `company_currency`."""
    lines = [row for row in data.lines.rows if row["currency"] == company_currency]
    rated = {str(row["service_code"]): row for row in data.found["rated"]}
    in_lines = {str(row["service_code"]) for row in lines} | rated.keys()
    names = dict.fromkeys(str(row["service_code"] or NO_SERVICE) for row in data.accounts.rows)
    found = exceptions(data, company_currency)
    return Figures(
        currency=company_currency,
        services=[
            (
                name,
                _earned(
                    [r for r in data.accounts.rows if (r["service_code"] or NO_SERVICE) == name]
                ),
            )
            for name in names
        ],
        billed=[
            _billed(
                name,
                [row for row in lines if row["service_code"] == name],
                amount_of(rated[name], "amount") if name in rated else ZERO,
            )
            for name in sorted(in_lines)
        ],
        flow=_flow(lines, total_of(data.found["rated"], "included")),
        outcomes=_outcomes(data.reconciliation.rows, company_currency),
        exceptions=found,
        exception_kinds=_kinds(found),
        trend=_trend(data.trend),
        accounts=sorted(
            (_account(row) for row in data.accounts.rows),
            key=lambda a: (-a.earned.revenue, a.service, a.account),
        ),
    )
