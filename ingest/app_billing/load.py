"""Lands the invoices of old billers in raw.app_billing_line, each line once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from ingest.app_billing.files import AppBillingFileError, Problem, read_documents
from ingest.app_billing.lines import AppInvoice
from ingest.upsert import UpsertCounts, upsert
from warehouse.tables import app_billing_line

COLUMNS = (
    "source",
    "external_invoice_id",
    "external_line_id",
    "service_code",
    "invoice_number",
    "external_account_id",
    "external_subscription_id",
    "item_type",
    "metric_code",
    "period_from",
    "period_to",
    "quantity",
    "amount",
    "tax_amount",
    "currency",
    "status",
    "issued_on",
    "payload",
    "file",
)


@dataclass(frozen=True)
class ImportReport:
    """`read` lines = new + unchanged + changed. `skipped` counts invoices that bill nothing:
    drafts and voided ones. `voided` counts lines loaded earlier whose invoice is void now.
    `problems` were not loaded; the rest was."""

    invoices: int
    read: int
    new: int
    unchanged: int
    changed: int
    skipped: int
    voided: int
    problems: tuple[Problem, ...]


class NotThisExportError(ValueError):
    """A JSON document of another kind. The message says what was expected."""


@dataclass(frozen=True)
class Format:
    """How one biller's export is read.

    `invoices` splits a document into invoices, or raises NotThisExportError; `invoice` reads one,
    or raises ValueError.
    """

    source: str
    what: str
    invoices: Callable[[msgspec.Raw], list[msgspec.Raw]]
    invoice: Callable[[msgspec.Raw], AppInvoice]


def import_files(
    engine: Engine, paths: Iterable[Path], *, service_code: str, format: Format
) -> ImportReport:
    """Loads the files in one transaction. A file that is no such export raises AppBillingFileError
    and nothing is loaded; a line or invoice that cannot be read is reported and the rest loads."""
    parsed = [(path, *_read(path, format)) for path in paths]
    counts = UpsertCounts()
    skipped = voided = 0
    with engine.begin() as connection:
        for path, invoices, _ in parsed:
            rows = {
                (row[1], row[2]): row
                for invoice in invoices
                if invoice.billed
                for row in _rows(invoice, path, service_code, format.source)
            }
            counts += upsert(connection, app_billing_line, COLUMNS, rows.values(), apart=("file",))
            unbilled = [invoice for invoice in invoices if not invoice.billed]
            skipped += len(unbilled)
            voided += _mark_unbilled(connection, format.source, unbilled)
    return ImportReport(
        invoices=sum(len(invoices) for _, invoices, _ in parsed),
        read=counts.new + counts.unchanged + counts.changed,
        new=counts.new,
        unchanged=counts.unchanged,
        changed=counts.changed,
        skipped=skipped,
        voided=voided,
        problems=tuple(problem for _, _, problems in parsed for problem in problems),
    )


def _read(path: Path, format: Format) -> tuple[list[AppInvoice], list[Problem]]:
    documents = read_documents(path, format.what)
    problems = list(documents.problems)
    invoices: list[AppInvoice] = []
    strangers: list[Problem] = []
    for position, document in documents.found:
        try:
            found = format.invoices(document)
        except NotThisExportError as error:
            strangers.append(Problem(path.name, position, str(error)))
            continue
        for number, raw in enumerate(found, start=1):
            where = position if position != "document" else f"invoice {number}"
            try:
                invoice = format.invoice(raw)
            except ValueError as error:
                problems.append(Problem(path.name, where, str(error)))
                continue
            invoices.append(invoice)
            problems += [
                Problem(path.name, f"{where} ({invoice.external_invoice_id}), {line}", reason)
                for line, reason in invoice.problems
            ]
    if strangers and len(strangers) == len(documents.found):
        raise AppBillingFileError(
            f"{path.name}: is not a {format.what}: {strangers[0].reason}. Nothing was loaded."
        )
    return invoices, problems + strangers


def _rows(invoice: AppInvoice, path: Path, service_code: str, source: str) -> list[tuple[Any, ...]]:
    return [
        (
            source,
            invoice.external_invoice_id,
            line.external_line_id,
            service_code,
            invoice.number,
            line.external_account_id,
            line.external_subscription_id,
            line.item_type,
            line.metric_code,
            line.period_from,
            line.period_to,
            line.quantity,
            line.amount,
            line.tax_amount,
            line.currency,
            invoice.status,
            invoice.issued_on,
            line.payload,
            path.name,
        )
        for line in invoice.lines
    ]


def _mark_unbilled(connection: Connection, source: str, invoices: Sequence[AppInvoice]) -> int:
    """An invoice voided after it was loaded keeps its lines, under their new status."""
    marked = 0
    for invoice in invoices:
        marked += connection.execute(
            sa.update(app_billing_line)
            .where(
                app_billing_line.c.source == source,
                app_billing_line.c.external_invoice_id == invoice.external_invoice_id,
                app_billing_line.c.status != invoice.status,
            )
            .values(status=invoice.status)
        ).rowcount
    return marked
