"""How a line's amount came about, in one sentence to check with a pocket calculator."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from exports.line_form import number_text, price_text

# Of each adjustment's kind, what the sentence calls it.
_BECAUSE = {
    "late_usage": "late usage",
    "correction": "correction",
    "void": "nothing is rated for the period any more",
}


def sentence(
    total: Mapping[str, Any],
    *,
    price: Mapping[str, Any] | None = None,
    beside: Decimal | None = None,
    adjustment: Mapping[str, Any] | None = None,
) -> str:
    """The arithmetic of a rated line: "1,240 used − 1,000 included = 240 × 0.0023 = 0.55 CAD".

    `total` is the line as it stood (sums over its ledger lines until then); `price` the catalogue's
    version, where it is known; `beside` the amount of the lines whose minimum this one fills up;
    `adjustment` the ledger line itself, where it is not the first: its difference is told last.
    """
    with localcontext(prec=1000):
        text = _total(total, price or {}, beside)
        if adjustment is None:
            return text
        before = total["amount"] - adjustment["amount"]
        because = _BECAUSE.get(adjustment["reason"], adjustment["reason"])
        currency = total["currency"]
        if adjustment["reason"] == "void":
            text = f"{because}: {money(total['amount'], currency)}"
        return (
            f"{text}, of which {money(before, currency)} was billed before: "
            f"{money(adjustment['amount'], currency)}"
            + ("" if adjustment["reason"] == "void" else f" ({because})")
        )


def _total(total: Mapping[str, Any], price: Mapping[str, Any], beside: Decimal | None) -> str:
    currency = total["currency"]
    if total["charge_model"] == "minimum_commitment" or total["tier"] == 0:
        amount = money(total["amount"], currency)
        if beside is None:
            minimum = total["unit_price"]
            named = f" of {money(minimum, currency)}" if minimum is not None else ""
            return f"{amount} up to the plan's minimum commitment{named}"
        return (
            f"{money(beside, currency)} of usage + {amount} = the minimum of "
            f"{money(beside + total['amount'], currency)}"
        )
    tier = f"tier {total['tier']}: " if total["charge_model"] in _TIERED else ""
    used = f"{number_text(total['quantity_used'])} used"
    if total["quantity_included"]:
        used += f" − {number_text(total['quantity_included'])} included"
        used += f" = {number_text(total['quantity_billed'])}"
    formula = _formula(total, price)
    result = _result(total)
    if formula is None:
        return f"{tier}{used}, {_model(total, price)}: {result}"
    return f"{tier}{used}{formula} = {result}"


_TIERED = ("graduated", "graduated_percentage")


def _formula(total: Mapping[str, Any], price: Mapping[str, Any]) -> str | None:
    """The factors of the precise amount, None where no price per unit gives it."""
    unit_price, flat = total["unit_price"], total["flat_amount"] or Decimal(0)
    if unit_price is None:
        return None
    billed, precise = total["quantity_billed"], total["amount_precise"]
    added = f" + {number_text(flat)} flat" if flat else ""
    if billed * unit_price + flat == precise:
        return f" × {price_text(unit_price)}{added}"
    size = total.get("package_size")
    if size:
        packages = (billed / size).to_integral_value(ROUND_CEILING)
        if packages * unit_price + flat == precise:
            return (
                f", {number_text(packages)} packages of {number_text(size)}"
                f" × {price_text(unit_price)}"
            )
    return None


def _model(total: Mapping[str, Any], price: Mapping[str, Any]) -> str:
    named = str(total["charge_model"] or "priced").replace("_", " ")
    parts = [
        f"{label} {number_text(price[name])}"
        for name, label in (
            ("rate", "rate in percent"),
            ("fixed_amount", "fixed amount per event"),
            ("free_events", "free events"),
            ("free_amount", "free amount"),
            ("package_size", "package of"),
        )
        if price.get(name)
    ]
    return f"{named} ({', '.join(parts)})" if parts else named


def _result(total: Mapping[str, Any]) -> str:
    """Tiers are rounded together, so one alone may lie a cent beside its own rounding."""
    amount, precise, currency = total["amount"], total["amount_precise"], total["currency"]
    if precise.quantize(amount, ROUND_HALF_UP) == amount:
        return money(amount, currency)
    return f"{number_text(precise)}, rounded with the tiers before it: {money(amount, currency)}"


def money(value: Decimal, currency: str) -> str:
    """`2.59 CAD`, `−1,200.00 CAD`: at least two digits."""
    sign = "−" if value < 0 else ""
    whole, _, fraction = number_text(abs(value)).partition(".")
    return f"{sign}{whole}.{fraction:0<2} {currency}"
