"""The checks of a month with what they found: shown on Summary and page, and judged by a close."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from exports.canonical import decimal_text
from exports.finance.checks import newer_sources
from exports.finance.columns import SUMMED
from exports.finance.figures import ZERO, Figures, amount_of, total_of
from exports.finance.marts import MonthData
from exports.finance.tables import Kind, Row

_BUILD = "`fusion-billing reconcile` builds the marts anew."


@dataclass(frozen=True)
class Check:
    """`value` is 0 where it holds, None where there was nothing to look at: not passed either.
    `against` is the reason against a close with the next command; empty where none is blocked."""

    name: str
    text: str
    value: Decimal | int | None
    kind: Kind
    says: str
    against: str

    @property
    def holds(self) -> bool:
        return self.value == 0


def _largest(rows: list[Row], name: str) -> Decimal | None:
    values = [Decimal(v) for row in rows if isinstance(v := row[name], Decimal | int)]
    return max((abs(value) for value in values), default=None)


def _first(rows: list[Row], name: str) -> str:
    return str(rows[0][name]) if rows else ""


def _lines(data: MonthData, found: Figures) -> list[Check]:
    billed = sum((b.amount for b in found.billed), ZERO)
    rated = sum((b.rated for b in found.billed), ZERO)
    foreign = len(data.lines.rows) - sum(b.lines for b in found.billed)
    not_as_rated = data.found["not_as_rated"]
    return [
        Check(
            "billed",
            f"Billed less rated, {found.currency}",
            billed - rated,
            Kind.MONEY,
            "Every period of the month is billed, late usage included.",
            "",
        ),
        Check(
            "not_as_rated",
            "Lines that are not billed as they are rated",
            len(not_as_rated),
            Kind.INTEGER,
            "The same, line by line, in any currency.",
            f"{len(not_as_rated)} lines are not billed as they are rated, the first is "
            f"{_first(not_as_rated, 'line_key')}; {billed} is billed of {rated}. A period is still "
            "open, or late usage is not billed yet: `fusion-billing run`.",
        ),
        Check(
            "foreign",
            f"Lines in another currency than {found.currency}",
            foreign,
            Kind.INTEGER,
            "Such lines are listed, but stand in no sum.",
            "",
        ),
    ]


def _conservation(data: MonthData) -> list[Check]:
    rows = data.conservation.rows
    counters = _largest(rows, "counters_difference")
    quantity = _largest(rows, "quantity_difference")
    if counters is None or quantity is None:
        against = (
            f"marts.fct_usage_conservation has no rows for {data.label}: "
            "`fusion-billing run` builds it."
        )
    else:
        against = (
            f"Usage is not conserved: up to {counters} counters and a quantity of "
            f"{decimal_text(quantity)} stand in no bucket or in two: "
            "`fusion-billing run` builds it anew."
        )
    return [
        Check(
            "conservation_counters",
            "Conservation: largest difference in counters",
            counters,
            Kind.INTEGER,
            "Every counter that came in stands in exactly one bucket.",
            against,
        ),
        Check(
            "conservation_quantity",
            "Conservation: largest difference in quantity",
            quantity,
            Kind.NUMBER,
            "The buckets of each metric add up to what came in.",
            against,
        ),
    ]


def _reconciliation(data: MonthData) -> list[Check]:
    rows = data.reconciliation.rows
    unexplained = sum(
        row["status"] == "difference" and row["reason"] in (None, "unexplained") for row in rows
    )
    against = (
        f"{unexplained} differences are unexplained: "
        f"`fusion-billing reconcile --month {data.label}`."
    )
    if not rows:
        against = (
            f"marts.fct_reconciliation has no rows for {data.label}: "
            "`fusion-billing reconcile` builds it."
        )
    compared = data.found["compared"]
    return [
        Check(
            "unexplained",
            "Unexplained differences",
            unexplained if rows else None,
            Kind.INTEGER,
            "App, platform and Odoo agree, or the difference has a named reason.",
            against,
        ),
        Check(
            "compared",
            "Billed lines and app lines that the reconciliation does not hold",
            len(compared),
            Kind.INTEGER,
            "What the ledger and the apps billed stands in the comparison, with its amount.",
            f"{len(compared)} items of ledger or apps are not in marts.fct_reconciliation with "
            f"their amount, the first is {_first(compared, 'what')}: {_BUILD}",
        ),
    ]


def _summed(rows: list[Row], *keys: str) -> dict[tuple[object, ...], list[Decimal]]:
    """The amounts of SUMMED, added up by `keys`."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    return {key: [total_of(mine, name) for name in SUMMED] for key, mine in groups.items()}


def _largest_gap(rows: list[Row], report: list[Row], *keys: str) -> Decimal:
    """How far any amount of the report is from the rows that it sums, key by key."""
    ours, theirs = _summed(rows, *keys), _summed(report, *keys)
    nothing = [ZERO] * len(SUMMED)
    return max(
        abs(one - other)
        for key in ours.keys() | theirs.keys()
        for one, other in zip(ours.get(key, nothing), theirs.get(key, nothing), strict=True)
    )


def _across(rows: list[Row]) -> int:
    """Rows that do not add up across."""

    def holds(row: Row) -> bool:
        usage, base, revenue, cogs, margin = (
            amount_of(row, name)
            for name in ("usage_revenue", "base_revenue", "revenue", "cogs", "margin")
        )
        invoiced = amount_of(row, "invoiced_revenue")
        return (
            usage + base == revenue
            and revenue - cogs == margin
            and amount_of(row, "invoiced_usage") + amount_of(row, "invoiced_base") == invoiced
            and invoiced - cogs == amount_of(row, "invoiced_margin")
        )

    return sum(not holds(row) for row in rows)


def _margin(data: MonthData) -> list[Check]:
    """Nothing here trusts that the reports were built from the mart as it is now."""
    services, accounts = data.services.rows, data.accounts.rows
    across = _across(accounts)
    wrong = data.found["margin_rows"]
    gap = max(
        _largest_gap(data.margin.rows, services, "service_code"),
        _largest_gap(data.margin.rows, accounts, "service_code", "account_key"),
    )
    invoiced = data.found["invoiced"][0]
    in_odoo, in_margin = amount_of(invoiced, "in_odoo"), total_of(accounts, "invoiced_revenue")
    no_rate = invoiced["without_rate"]
    spread = data.found["accrued"]
    return [
        Check(
            "margin_across",
            "Rows of Margin by account that do not foot across",
            across,
            Kind.INTEGER,
            "Usage + base = revenue, revenue − COGS = margin; the same as invoiced.",
            f"{across} rows of marts.rpt_margin_by_account do not foot across: {_BUILD}",
        ),
        Check(
            "margin_rows",
            "Rows of the margin's mart that do not foot across",
            len(wrong),
            Kind.INTEGER,
            "The same, by plan and metric; an amount without a rate counts as well.",
            f"{len(wrong)} rows of marts.fct_margin_monthly do not foot across, the first is "
            f"{_first(wrong, 'margin_key')}: {_BUILD}",
        ),
        Check(
            "margin_reports",
            "Margin by service and by account less the margin's mart",
            gap,
            Kind.MONEY,
            "All three say the same of each service and account.",
            f"Margin by service or by account differs from marts.fct_margin_monthly by {gap}:"
            f" {_BUILD}",
        ),
        Check(
            "accrued",
            "Accounts and metrics whose accrued usage of all months is not what is rated",
            len(spread),
            Kind.INTEGER,
            "Spread over the days of its use, usage revenue is what is rated.",
            f"Usage revenue of all months is not what is rated of {len(spread)} accounts and "
            f"metrics, the first is {_first(spread, 'revenue_key')}: {_BUILD}",
        ),
        Check(
            "invoiced",
            "Invoiced revenue less Odoo's posted invoices",
            None if no_rate else in_margin - in_odoo,
            Kind.MONEY,
            "By invoice date, before tax, credit notes taken off.",
            f"{no_rate} posted invoices are in a currency without a rate: enter it in Odoo, then "
            "`fusion-billing odoo mirror`."
            if no_rate
            else f"{in_margin} is the invoiced revenue, and {in_odoo} on Odoo's posted invoices: "
            f"{_BUILD}",
        ),
    ]


def _cost(data: MonthData) -> list[Check]:
    split, no_rate = data.found["allocated"], data.found["without_rate"]
    cost = data.found["cost"]
    return [
        Check(
            "allocated",
            "Costs whose shares are not the cost",
            len(split),
            Kind.INTEGER,
            "What came in is borne by accounts, or stands as unallocated, to the last digit.",
            f"{len(split)} provider costs are not what is allocated of them, the first is "
            f"{_first(split, 'cost_key')}: {_BUILD}",
        ),
        Check(
            "without_rate",
            "Costs without an exchange rate",
            len(no_rate),
            Kind.INTEGER,
            "Every cost has its amount in company currency.",
            f"{len(no_rate)} provider costs are in a currency that Odoo has no rate of, the first "
            f"is {_first(no_rate, 'cost_key')}: enter it there, then `fusion-billing odoo mirror`.",
        ),
        Check(
            "cost",
            "Groups of cost that differ by day, by month or in the margin",
            len(cost),
            Kind.INTEGER,
            "All cost of the month's days stands in the margin, with whom it was allocated to.",
            f"{len(cost)} groups of cost are not the same by day, by month and in the margin, the "
            f"first is {_first(cost, 'cost_group')}: {_BUILD}",
        ),
    ]


def _up_to_date(data: MonthData) -> list[Check]:
    """Marts that hold, but of yesterday, say nothing of what landed since."""
    usage, since = data.found["not_built"][0], newer_sources(data.found["newer"][0])
    counters = int(str(usage["counters"])) if usage["builds"] else None
    return [
        Check(
            "not_built",
            "Counters that came in after the rating",
            counters,
            Kind.INTEGER,
            "All usage up to the month's end stands in the marts.",
            "Nothing is rated yet: `fusion-billing run`."
            if counters is None
            else f"{counters} counters of days up to {data.label} came in after the last rating: "
            "`fusion-billing run`, then `fusion-billing reconcile`.",
        ),
        Check(
            "newer",
            "Sources newer than finance's marts",
            len(since),
            Kind.INTEGER,
            "Rating, the apps' documents, cost drivers and Odoo are as the marts have read them.",
            f"Newer than finance's marts: {', '.join(since)}. {_BUILD}",
        ),
    ]


def checks(data: MonthData, found: Figures) -> list[Check]:
    """The checks of the month in the order they are shown."""
    return [
        *_lines(data, found),
        *_conservation(data),
        *_reconciliation(data),
        *_margin(data),
        *_cost(data),
        *_up_to_date(data),
    ]


def reasons_against(judged: list[Check]) -> list[str]:
    """Why the month cannot be closed, each once."""
    return list(dict.fromkeys(c.against for c in judged if not c.holds and c.against))
