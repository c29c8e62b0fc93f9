"""Lago's invoices and credit notes, as its API lists and shows them.

Shapes: getlago/lago-openapi, InvoiceObject, InvoiceObjectExtended, CreditNoteObject. The list of
invoices has no fees, the shown invoice has them; credit notes have their items in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from sqlalchemy.engine import Engine

from ingest.app_billing.lago_credit_notes import read_credit_note
from ingest.app_billing.lago_invoices import read_invoice
from ingest.app_billing.lago_lists import ListMeta, lists_that_go_on
from ingest.app_billing.lines import CREDIT_NOTE, INVOICE
from ingest.app_billing.load import (
    Format,
    Found,
    ImportReport,
    NotThisExportError,
    Part,
    Reading,
    import_files,
)

LAGO = "lago"
_STRANGER = "document"
_NEITHER = 'it has none of "invoice", "invoices", "credit_note" and "credit_notes"'
_READERS = {INVOICE: read_invoice, CREDIT_NOTE: read_credit_note}


def import_lago(
    engine: Engine, paths: Iterable[Path], *, service_code: str, dry_run: bool = False
) -> ImportReport:
    """Loads Lago's invoices and credit notes into raw.app_invoice, their fees and items into
    raw.app_billing_line.

    A file holds `{"invoice": {…}}`, `{"invoices": […]}`, `{"credit_note": {…}}` or
    `{"credit_notes": […]}`, several of these one after the other, or an array of them. An invoice
    without fees, as the list has it, needs its shown document, in the same import or an earlier
    one. Raises AppBillingFileError on a file that is no such export.
    """
    lago = Format(LAGO, "Lago invoice export", _split, _read)
    return import_files(engine, paths, service_code=service_code, format=lago, dry_run=dry_run)


class _Export(msgspec.Struct):
    invoice: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    invoices: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    credit_note: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    credit_notes: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    meta: ListMeta | None = None


def _split(document: msgspec.Raw) -> list[Part]:
    try:
        if bytes(document).lstrip()[:1] == b"[":
            return _all(msgspec.json.decode(document, type=list[msgspec.Raw]))
        export = msgspec.json.decode(document, type=_Export)
    except NotThisExportError:
        raise
    except ValueError as error:
        raise NotThisExportError(str(error)) from None
    if not isinstance(export.invoices, msgspec.UnsetType):
        return _listed(INVOICE, export.invoices, document)
    if not isinstance(export.invoice, msgspec.UnsetType):
        return [Part(INVOICE, export.invoice)]
    if not isinstance(export.credit_notes, msgspec.UnsetType):
        return _listed(CREDIT_NOTE, export.credit_notes, document)
    if not isinstance(export.credit_note, msgspec.UnsetType):
        return [Part(CREDIT_NOTE, export.credit_note)]
    raise NotThisExportError(_NEITHER)


def _listed(kind: str, items: list[msgspec.Raw], document: msgspec.Raw) -> list[Part]:
    return [*(Part(kind, each) for each in items), Part(kind, document, is_list=True)]


def _all(parts: list[msgspec.Raw]) -> list[Part]:
    """The documents of an array; one of another kind among them is a stranger."""
    found: list[Part] = []
    strange: list[NotThisExportError] = []
    for part in parts:
        try:
            found += _split(part)
        except NotThisExportError as error:
            strange.append(error)
            found.append(Part(_STRANGER, part))
    if strange and len(strange) == len(parts):
        raise strange[0]
    return found


def _read(found: list[Found]) -> Reading:
    reading = Reading()
    for each in found:
        if each.is_list:
            continue
        if each.kind == _STRANGER:
            reading.problems.append(each.position.problem(_NEITHER))
        else:
            reading.read(each, _READERS[each.kind])
    reading.problems += lists_that_go_on([each for each in found if each.is_list])
    return reading
