"""Whether a document's lines sum to what the document itself says."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ingest.app_billing.lines import REFUND, AppDocument


def footing(document: AppDocument) -> Iterator[str]:
    """What does not foot, in words. Before tax it is exact; of tax, which billers round per line or
    per document, a minor unit a line may differ.

    Of a document with a line that cannot be read nothing is said: that line is reported already.
    """
    if document.kind == REFUND or document.problems:
        return
    others = {line.currency for line in document.lines} - {document.currency}
    if others:
        yield f"{document.name} in {document.currency} has a line in {', '.join(sorted(others))}"
        return
    net = sum((line.amount for line in document.lines), Decimal(0))
    tax = sum((line.tax_amount for line in document.lines), Decimal(0))
    if document.net_amount is not None and net != document.net_amount:
        yield _sum_differs(document, "before tax", net, document.net_amount)
    if document.tax_amount is not None and not _within_rounding(document, tax):
        yield _sum_differs(document, "of tax", tax, document.tax_amount)
    stated = (document.net_amount, document.tax_amount, document.total_amount)
    if None not in stated and stated[0] + stated[1] != stated[2]:  # type: ignore[operator]
        yield (
            f"{document.name} says {stated[0]} before tax, {stated[1]} of tax and {stated[2]} in"
            " all, which do not add up"
        )


def _within_rounding(document: AppDocument, tax: Decimal) -> bool:
    stated = document.tax_amount or Decimal(0)
    cent = Decimal(1).scaleb(_exponent(stated))
    return abs(tax - stated) <= cent * len(document.lines)


def _exponent(amount: Decimal) -> int:
    exponent = amount.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _sum_differs(document: AppDocument, what: str, lines: Decimal, stated: Decimal) -> str:
    return f"{document.name}: its lines sum to {lines} {document.currency} {what}, it says {stated}"
