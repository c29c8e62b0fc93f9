"""Stripe's invoices, credit notes and refunds, as its API, CLI and webhooks hand them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
from sqlalchemy.engine import Engine

from ingest.app_billing.ages import event_age
from ingest.app_billing.footing import footing
from ingest.app_billing.lines import CREDIT_NOTE, INVOICE, REFUND, AppDocument
from ingest.app_billing.load import (
    Format,
    Found,
    ImportReport,
    NotThisExportError,
    Part,
    Reading,
    Told,
    import_files,
)
from ingest.app_billing.store import Position
from ingest.app_billing.stripe_credits import read_credit_note, read_refund
from ingest.app_billing.stripe_invoices import read_invoice
from ingest.app_billing.stripe_lists import ListObject, lists_that_go_on
from ingest.app_billing.stripe_pages import LINE_PAGE, gathered_pages, with_pages

STRIPE = "stripe"
_SKIPPED = "object of another kind"
_KINDS = (INVOICE, CREDIT_NOTE, REFUND)
_LISTS = ("list", "search_result")
_Documents = list[tuple[Position, AppDocument]]


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
    created: int | None = None


class _Kind(msgspec.Struct):
    object: str


def _split(document: msgspec.Raw) -> list[Part]:
    try:
        if bytes(document).lstrip()[:1] == b"[":
            return _all(msgspec.json.decode(document, type=list[msgspec.Raw]))
        kind = msgspec.json.decode(document, type=_Kind).object
        if kind in _KINDS:
            return [Part(kind, document)]
        if kind == "event":
            return [_of_event(document)]
        if kind in _LISTS:
            found = msgspec.json.decode(document, type=ListObject)
            if found.path and found.path.endswith("/lines"):
                return [Part(LINE_PAGE, document)]
            if not isinstance(found.data, msgspec.UnsetType):
                return [*_all(found.data), Part(kind, document, is_list=True)]
    except NotThisExportError:
        raise
    except ValueError as error:
        raise NotThisExportError(str(error)) from None
    raise NotThisExportError(
        f'its "object" is {kind!r}, none of "list", "invoice", "credit_note", "refund" and "event"'
    )


def _of_event(document: msgspec.Raw) -> Part:
    """An event carries its object as it was then. Others than ours are passed over."""
    event = msgspec.json.decode(document, type=_Event)
    kind = msgspec.json.decode(event.data.object, type=_Kind).object
    return Part(kind if kind in _KINDS else _SKIPPED, event.data.object, Told(event.created))


def _all(parts: list[msgspec.Raw]) -> list[Part]:
    """A list of Stripe can hold anything: charges, customers, subscriptions."""
    kinds = [_kind_of(part) for part in parts]
    readable = {*_KINDS, *_LISTS, "event"}
    if parts and not readable.intersection(kinds):
        listed = " and ".join(sorted({repr(kind) for kind in kinds}))
        raise NotThisExportError(f"it lists {listed} objects, not invoices")
    found: list[Part] = []
    for part, kind in zip(parts, kinds, strict=True):
        try:
            found += _split(part)
        except NotThisExportError:
            found.append(Part(kind, part))
    return _newest_first(found) if set(kinds) == {"event"} else found


def _kind_of(part: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(part, type=_Kind).object
    except ValueError:
        return "unknown"


def _newest_first(events: list[Part]) -> list[Part]:
    """Stripe lists events newest first, which decides between those of one second; an array that
    somebody made may go the other way."""
    times = [part.told.at for part in events if part.told and part.told.at is not None]
    if times and times[0] < times[-1]:
        return events
    return [
        replace(part, told=part.told and replace(part.told, newest_first=True)) for part in events
    ]


def _read(
    found: list[Found], *, readers: Mapping[str, Callable[[msgspec.Raw], AppDocument]]
) -> Reading:
    """A document that was listed stands as often as it was read, in that order. Events are taken
    after those, the oldest of all files first: `store` passes over those that tell of a state
    before the listed one."""
    reading = Reading()
    pages = gathered_pages(found, reading)
    turns: list[int] = []
    for number, each in enumerate(found):
        if each.is_list:
            continue
        if each.kind in readers:
            whole, before = with_pages(each, pages), len(reading.documents)
            reading.read(whole, readers[each.kind])
            if whole is not each and len(reading.documents) > before:
                _refuse_if_a_page_is_missing(reading)
            if len(reading.documents) > before:
                turns.append(-number if each.told and each.told.newest_first else number)
        elif each.kind == _SKIPPED:
            reading.skipped += 1
        elif each.kind != LINE_PAGE:
            article = "an" if each.kind[:1] in "aeiou" else "a"
            reason = f"is {article} {each.kind} object, not an invoice, credit note or refund"
            reading.problems.append(each.position.problem(reason))
    reading.documents = _events_last(reading.documents, turns)
    reading.problems += lists_that_go_on([each for each in found if each.is_list])
    return reading


def _events_last(documents: _Documents, turns: Sequence[int]) -> _Documents:
    """`turns`: for each document where it stands among the events of its second and stage."""
    listed = [each for each in documents if not each[1].is_event]
    events = [
        (event_age(document.status, document.updated_at), turn, number)
        for number, ((_, document), turn) in enumerate(zip(documents, turns, strict=True))
        if document.is_event
    ]
    return listed + [documents[number] for _, _, number in sorted(events)]


def _refuse_if_a_page_is_missing(reading: Reading) -> None:
    """Lines that were put together from pages and do not sum to the invoice's total are not all."""
    position, document = reading.documents[-1]
    for reason in footing(document):
        reading.problems.append(position.problem(f"{reason}. A page of its lines is missing"))
        reading.documents.pop()
        return
