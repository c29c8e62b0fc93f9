"""What somebody should look at, from every mart of the month, in one list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from exports.canonical import decimal_text
from exports.finance.columns import NO_ACCOUNT
from exports.finance.marts import MonthData
from exports.finance.tables import Row, Value

_UNALLOCATED = {
    "no_driver": "No driver says what it follows: `fusion-billing costs drivers apply FILE`.",
    "unknown_metric": "Its driver is a metric that the catalogue does not have.",
    "no_usage": "Nobody used its driver's metric on these days.",
}
_UNBILLED = {
    "unattributed": ("unlinked_usage", "No subscription, or no account link, claims it."),
    "unpriced": ("unpriced_usage", "No charge of the plan prices it."),
}


def _row(
    kind: str,
    service: Value,
    subject: Value,
    *,
    amount: Decimal | None = None,
    count: int = 1,
    quantity: Decimal | None = None,
    detail: str,
) -> Row:
    return {
        "kind": kind,
        "service_code": service,
        "subject": subject,
        "count": count,
        "amount": amount,
        "quantity": quantity,
        "detail": detail,
    }


def _decimal(value: Value) -> Decimal | None:
    return value if isinstance(value, Decimal) else None


def _ours(row: Row, value: Value, currency: str) -> tuple[Decimal | None, str]:
    """The amount, where it is in `currency`; else what to say of it: no sum may hold it."""
    amount = _decimal(value)
    if amount is None or row["currency"] == currency:
        return amount, ""
    return None, f" It is {decimal_text(amount)} {row['currency']}."


def _margin_detail(row: Row) -> str:
    pct, floor = _decimal(row["margin_pct"]), _decimal(row["margin_floor_pct"])
    who = f"{row['partner_name']}: " if row["partner_name"] else ""
    said = f"{who}revenue {row['revenue']}, COGS {row['cogs']}"
    if pct is not None:
        said += f", margin {decimal_text(pct)} %"
    if row["kind"] == "below_floor" and floor is not None:
        said += f", below the floor of {decimal_text(floor)} %"
    return f"{said}."


def _margins(data: MonthData) -> Iterator[Row]:
    for row in data.margin_exceptions:
        yield _row(
            str(row["kind"]),
            row["service_code"],
            row["account_key"] or NO_ACCOUNT,
            amount=_decimal(row["margin"]),
            detail=_margin_detail(row),
        )


def _costs(data: MonthData) -> Iterator[Row]:
    """Cost that no account bears, by service, provider, SKU and reason, to the cent."""
    sums: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
    for row in data.unallocated:
        key = tuple(
            str(row[name] or "")
            for name in ("service_code", "provider", "sku", "allocation_reason")
        )
        sums[key] += _decimal(row["amount_company"]) or Decimal(0)
    for (service, provider, sku, reason), amount in sorted(sums.items()):
        yield _row(
            "unallocated_cost",
            service or None,
            f"{provider} / {sku}",
            amount=round(amount, 2),
            detail=_UNALLOCATED.get(reason, reason),
        )


def _usage(data: MonthData) -> Iterator[Row]:
    for row in data.conservation.rows:
        if str(row["bucket"]) in _UNBILLED and row["counters"]:
            kind, detail = _UNBILLED[str(row["bucket"])]
            counters = row["counters"]
            yield _row(
                kind,
                row["service_code"],
                row["metric_code"],
                count=counters if isinstance(counters, int) else 0,
                quantity=_decimal(row["quantity"]),
                detail=detail,
            )


def _lines(data: MonthData, currency: str) -> Iterator[Row]:
    for row in data.lines.rows:
        refused = row["push_state"] == "refused"
        if refused or row["push_state"] == "differs" or row["push_problem"]:
            said = ": ".join(str(row[n]) for n in ("push_problem", "push_reason") if row[n])
            amount, foreign = _ours(row, row["amount"], currency)
            yield _row(
                "refused_by_odoo" if refused else "differs_in_odoo",
                row["service_code"],
                row["line_key"],
                amount=amount,
                detail=(said or "Odoo shows it differently.") + foreign,
            )


def _differences(data: MonthData, currency: str) -> Iterator[Row]:
    for row in data.reconciliation.rows:
        if row["status"] == "difference" and row["reason"] == "unexplained":
            app, odoo = _decimal(row["app_delta"]), _decimal(row["odoo_delta"])
            amount, foreign = _ours(row, app or odoo, currency)
            yield _row(
                "unexplained_difference",
                row["service_code"],
                row["reconciliation_key"],
                amount=amount,
                detail=str(row["detail"] or "App, platform and Odoo do not agree.") + foreign,
            )


def exceptions(data: MonthData, currency: str) -> list[Row]:
    """The rows of the Exceptions table: what blocks or misbills first, then the margins. Amounts
    are in `currency`, the company's."""
    return [
        *_differences(data, currency),
        *_lines(data, currency),
        *_usage(data),
        *_costs(data),
        *_margins(data),
    ]
