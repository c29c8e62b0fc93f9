"""The canonical text of a billed line, and the hash over many: what a run and a close attest.

One text per line, so that a replay on another machine, another collation or another driver gives
the same SHA-256. Only what the line *says* is in it: `run_id`, `billed_at` and everything that
became of the line in Odoo are left out, for a replay cannot and need not repeat them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

FIELDS = (
    "line_key",
    "rated_line_key",
    "adjustment_no",
    "reason",
    "service_code",
    "account_key",
    "subscription_key",
    "plan_code",
    "metric_code",
    "charge_key",
    "period_start",
    "period_end",
    "tier",
    "quantity_used",
    "quantity_included",
    "quantity_billed",
    "unit_price",
    "amount",
    "amount_precise",
    "currency",
)
# What a row of `fct_margin_monthly` says; revenue, margins and percentages follow from it.
MARGIN_FIELDS = (
    "month",
    "service_code",
    "account_key",
    "plan_code",
    "metric_code",
    "usage_revenue",
    "base_revenue",
    "cogs",
    "invoiced_usage",
    "invoiced_base",
    "currency",
)


def decimal_text(value: Decimal | int) -> str:
    """The one plain text of a number: no exponent, no trailing zeros, no negative zero.

    `1.50`, `1.5` and `15E-1` are all `1.5`; `-0.00` is `0`. ValueError for NaN and infinities.
    """
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{number} has no place in a billed line")
    # Not normalize(): it rounds to the context's 28 digits, and a numeric may carry more.
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _field(name: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return decimal_text(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{name} is {type(value).__name__}; a line holds text, int, Decimal, date")


def canonical(line: Mapping[str, object], fields: Sequence[str] = FIELDS) -> bytes:
    """One line as UTF-8 text: a JSON array of the values of `fields` in that order, and a newline.

    Numbers are strings in the form of `decimal_text`, dates ISO-8601, null stays null; no spaces,
    nothing but what JSON demands is escaped. Other keys of `line` are ignored. KeyError where a
    field is missing, TypeError for a float or a timestamp, ValueError for NaN.
    """
    values = [_field(name, line[name]) for name in fields]
    return (json.dumps(values, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def lines_sha256(rows: Iterable[Mapping[str, object]]) -> str:
    """SHA-256 (hex) over the canonical texts in order of `line_key`, whatever order they come in.

    The order is that of code points, as PostgreSQL's `collate "C"`. No rows give the hash of
    nothing. ValueError where a line_key comes twice: such a set was joined wrongly.
    """
    digest = hashlib.sha256()
    previous: str | None = None
    for key, text in sorted((str(row["line_key"]), canonical(row)) for row in rows):
        if key == previous:
            raise ValueError(f"line {key} comes twice")
        digest.update(text)
        previous = key
    return digest.hexdigest()


def margin_sha256(rows: Iterable[Mapping[str, object]]) -> str:
    """SHA-256 (hex) over the canonical texts of a margin's rows, in the order of their bytes."""
    return hashlib.sha256(b"".join(sorted(canonical(r, MARGIN_FIELDS) for r in rows))).hexdigest()
