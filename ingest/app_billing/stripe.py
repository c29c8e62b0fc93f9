"""Stripe's invoices, credit notes and refunds, as its API, CLI and webhooks hand them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import msgspec
from sqlalchemy.engine import Engine

from ingest.app_billing.files import Problem
from ingest.app_billing.footing import footing
from ingest.app_billing.lines import CREDIT_NOTE, INVOICE, REFUND, AppDocument
from ingest.app_billing.load import (
    Format,
    Found,
    ImportReport,
    NotThisExportError,
    Reading,
    import_files,
)
from ingest.app_billing.stripe_credits import read_credit_note, read_refund
from ingest.app_billing.stripe_invoices import read_invoice
from ingest.app_billing.stripe_pages import LINE_PAGE, gathered_pages, with_pages

STRIPE = "stripe"
_SKIPPED = "object of another kind"
_KINDS = (INVOICE, CREDIT_NOTE, REFUND)
_LISTS = ("list", "search_result")
_LISTED = "list"  # not a document: what a page said of those after it


def import_stripe(
    engine: Engine,
    paths: Iterable[Path],
    *,
    service_code: str,
    nicknames: Mapping[str, str] | None = None,
    dry_run: bool = False,
) -> ImportReport:
    """Loads Stripe's invoices, credit notes and refunds into raw.app_invoice, their lines into
    raw.app_billing_line.

    A file holds a list object, a single object, an array, events with such an object, or several
    of these one after the other. Pages of /v1/invoices/…/lines complete an invoice with more lines
    than Stripe shows with it. The metric is `metadata.metric_code` of the line, its price or its
    product, else what `nicknames` says of the price's nickname. The app's subscription and account
    are `external_subscription_id` and `external_account_id` in the metadata of line, subscription
    or invoice. Amounts are net of discounts and of inclusive tax.
    Raises AppBillingFileError on a file that is no such export.
    """
    readers: dict[str, Callable[[msgspec.Raw], AppDocument]] = {
        INVOICE: partial(read_invoice, nicknames=nicknames or {}),
        CREDIT_NOTE: read_credit_note,
        REFUND: read_refund,
    }
    stripe = Format(STRIPE, "Stripe invoice export", _split, partial(_read, readers=readers))
    return import_files(engine, paths, service_code=service_code, format=stripe, dry_run=dry_run)


class _EventData(msgspec.Struct):
    object: msgspec.Raw


class _Event(msgspec.Struct):
    data: _EventData
    created: int = 0


class _Kind(msgspec.Struct):
    object: str


class _List(msgspec.Struct):
    url: str | None = None
    has_more: bool = False
    data: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


def _split(document: msgspec.Raw) -> list[tuple[str, msgspec.Raw]]:
    try:
        if bytes(document).lstrip()[:1] == b"[":
            return _all(msgspec.json.decode(document, type=list[msgspec.Raw]))
        kind = msgspec.json.decode(document, type=_Kind).object
        if kind in _KINDS:
            return [(kind, document)]
        if kind == "event":
            return [_of_event(document)]
        if kind in _LISTS:
            found = msgspec.json.decode(document, type=_List)
            if found.url and found.url.split("?")[0].endswith("/lines"):
                return [(LINE_PAGE, document)]
            if not isinstance(found.data, msgspec.UnsetType):
                told = msgspec.Raw(msgspec.json.encode((found.url, found.has_more)))
                return [*_all(found.data), (_LISTED, told)]
    except NotThisExportError:
        raise
    except ValueError as error:
        raise NotThisExportError(str(error)) from None
    raise NotThisExportError(
        f'its "object" is {kind!r}, none of "list", "invoice", "credit_note", "refund" and "event"'
    )


def _of_event(document: msgspec.Raw) -> tuple[str, msgspec.Raw]:
    """An event carries its object as it was then. Others than ours are passed over."""
    content = msgspec.json.decode(document, type=_Event).data.object
    kind = msgspec.json.decode(content, type=_Kind).object
    return (kind, content) if kind in _KINDS else (_SKIPPED, content)


def _all(parts: list[msgspec.Raw]) -> list[tuple[str, msgspec.Raw]]:
    """A list of Stripe can hold anything: charges, customers, subscriptions."""
    kinds = [_kind_of(part) for part in parts]
    readable = {*_KINDS, *_LISTS, "event"}
    if parts and not readable.intersection(kinds):
        listed = " and ".join(sorted({repr(kind) for kind in kinds}))
        raise NotThisExportError(f"it lists {listed} objects, not invoices")
    if set(kinds) == {"event"}:
        parts = _oldest_first(parts)
    found: list[tuple[str, msgspec.Raw]] = []
    for part, kind in zip(parts, kinds, strict=True):
        try:
            found += _split(part)
        except NotThisExportError:
            found.append((kind, part))
    return found


def _kind_of(part: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(part, type=_Kind).object
    except ValueError:
        return "unknown"


def _oldest_first(events: list[msgspec.Raw]) -> list[msgspec.Raw]:
    """Events are listed newest first, but it is the last one of a document that counts."""
    try:
        return sorted(events, key=lambda event: msgspec.json.decode(event, type=_Event).created)
    except ValueError:
        return events[::-1]  # one that cannot be read: the order that they are listed in


def _read(
    found: list[Found], *, readers: Mapping[str, Callable[[msgspec.Raw], AppDocument]]
) -> Reading:
    reading = Reading()
    pages = gathered_pages(found, reading)
    for each in found:
        if each.kind in readers:
            whole, before = with_pages(each, pages), len(reading.documents)
            reading.read(whole, readers[each.kind])
            if whole is not each and len(reading.documents) > before:
                _refuse_if_a_page_is_missing(reading)
        elif each.kind == _SKIPPED:
            reading.skipped += 1
        elif each.kind not in (LINE_PAGE, _LISTED):
            article = "an" if each.kind[:1] in "aeiou" else "a"
            reason = f"is {article} {each.kind} object, not an invoice, credit note or refund"
            reading.problems.append(each.position.problem(reason))
    _tell_of_missing_pages(found, reading)
    return reading


def _tell_of_missing_pages(found: list[Found], reading: Reading) -> None:
    """A list whose pages all say that another follows has lost its last one: invoices that nobody
    imports would read as "missing in the app"."""
    last: dict[str | None, tuple[Found, bool]] = {}
    for each in found:
        if each.kind == _LISTED:
            url, has_more = msgspec.json.decode(each.content, type=tuple[str | None, bool])
            path = url and url.split("?")[0]
            last[path] = each, has_more and last.get(path, (each, True))[1]
    for path, (each, has_more) in last.items():
        if has_more:
            reason = (
                f"the list {path or 'without a url'} has more pages than these: ask for the next"
                " with starting_after (docs/imports.md)"
            )
            reading.problems.append(Problem(each.position.file, "whole list", reason))


def _refuse_if_a_page_is_missing(reading: Reading) -> None:
    """Lines that were put together from pages and do not sum to the invoice's total are not all."""
    position, document = reading.documents[-1]
    for reason in footing(document):
        reading.problems.append(position.problem(f"{reason}. A page of its lines is missing"))
        reading.documents.pop()
        return
