"""Lands documents as versions: the same content once, a changed one beside the old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ingest.app_billing.files import Problem
from ingest.app_billing.footing import footing
from ingest.app_billing.lines import AppDocument, BillingLine
from ingest.upsert import UpsertCounts, upsert
from warehouse.locks import advisory_lock
from warehouse.tables import app_billing_line, app_invoice

# The head of a document as both the reader and the table name it, in one order.
HEAD = (
    "kind",
    "invoice_number",
    "external_account_id",
    "corrects_invoice_id",
    "status",
    "is_billed",
    "currency",
    "issued_on",
    "net_amount",
    "discount_amount",
    "tax_amount",
    "total_amount",
)
LINE = (
    "external_line_id",
    "external_account_id",
    "external_subscription_id",
    "item_type",
    "metric_code",
    "period_from",
    "period_to",
    "quantity",
    "amount",
    "discount_amount",
    "tax_amount",
    "currency",
    "is_proration",
)
KEY = ("source", "external_invoice_id", "version")
INVOICE_COLUMNS = (*KEY, "service_code", *HEAD, "content_sha256", "payload", "file")
_DAMAGED = (
    "{} has lines that cannot be read, and was imported with all of them before: not loaded."
    " Export it again"
)
# Lago's fees and items, Stripe's lines: as stg_app_billing__invoices counts them.
_EXPORTED = sa.func.coalesce(
    app_invoice.c.payload["fees"],
    app_invoice.c.payload["items"],
    app_invoice.c.payload[("lines", "data")],
)
LINE_COLUMNS = (
    *KEY,
    *LINE,
    "payload",
    *("service_code", "invoice_number", "status", "issued_on", "file"),
)


@dataclass(frozen=True)
class Position:
    """Where a document stood."""

    file: str
    where: str

    def problem(self, reason: str, within: str = "") -> Problem:
        return Problem(self.file, f"{self.where}{within}", reason)


@dataclass
class Stored:
    """What became of the documents."""

    documents: UpsertCounts = field(default_factory=UpsertCounts)
    lines: UpsertCounts = field(default_factory=UpsertCounts)
    skipped: int = 0
    problems: list[Problem] = field(default_factory=list)

    def count(self, document: AppDocument, fate: str) -> None:
        self.documents += UpsertCounts(**{fate: 1})
        self.lines += UpsertCounts(**{fate: len(document.lines)})


@dataclass(frozen=True)
class _Version:
    """The head of a stored version, and what tells whether a list entry says the same."""

    number: int
    service_code: str
    content_sha256: bytes
    updated_at: datetime | None
    head: tuple[Any, ...]
    is_complete: bool  # all of its lines could be read


def store(
    connection: Connection,
    source: str,
    service_code: str,
    documents: Sequence[tuple[Position, AppDocument]],
) -> Stored:
    """Adds a version of each document whose content is not among its versions yet, in the order
    given, so that the later one is the newer.

    A content that is known adds nothing, however old: an export from January that still lies in the
    folder changes nothing in March. Only where the newest version is read otherwise today (the
    reader learned something, a line can be read now) the same content is a version again, and where
    the newest one lacks lines any content of which all lines are read.

    A document with lines that cannot be read is a version only until all lines of one were: what
    was complete is not replaced by a part.
    """
    stored = Stored()
    if not documents:
        return stored
    advisory_lock(connection, f"app_billing:{source}")
    ids = sorted({document.external_invoice_id for _, document in documents})
    versions = _stored_versions(connection, source, ids)
    lines = _newest_lines(connection, source, versions)
    invoice_rows: list[tuple[Any, ...]] = []
    line_rows: list[tuple[Any, ...]] = []
    for position, document in documents:
        known = versions.setdefault(document.external_invoice_id, [])
        refusal = _refusal(document, service_code, known)
        if refusal:
            stored.problems.append(position.problem(refusal))
            continue
        if document.missing is not None:
            continue
        stored.problems += [position.problem(reason) for reason in footing(document)]
        if _is_known(document, known, lines):
            stored.count(document, "unchanged")
            continue
        if document.problems and known and known[-1].is_complete:
            stored.problems.append(position.problem(_DAMAGED.format(document.name)))
            continue
        version = _version(document, service_code, len(known) and known[-1].number)
        stored.count(document, "changed" if known else "new")
        known.append(version)
        lines[document.external_invoice_id] = _comparable(document.lines)
        invoice_rows.append(_invoice_row(source, version, document, position.file))
        line_rows += _line_rows(source, version, document, position.file)
    _settle_heads(stored, documents, versions, service_code)
    upsert(connection, app_invoice, INVOICE_COLUMNS, invoice_rows)
    upsert(connection, app_billing_line, LINE_COLUMNS, line_rows)
    return stored


def _refusal(document: AppDocument, service_code: str, known: list[_Version]) -> str | None:
    if not known:
        return None
    newest = known[-1]
    if newest.service_code != service_code:
        return (
            f"{document.name} is {newest.service_code}'s, imported earlier; not loaded for"
            f" {service_code}. Import it with --service {newest.service_code}"
        )
    kind = newest.head[0]
    if kind != document.kind:
        return f"{document.external_invoice_id} is stored as {kind}, not as {document.kind}"
    return None


def _is_known(
    document: AppDocument,
    known: list[_Version],
    lines: dict[str, dict[str, tuple[Any, ...]]],
) -> bool:
    if document.content_sha256 not in {version.content_sha256 for version in known}:
        return False
    newest = known[-1]
    if newest.content_sha256 != document.content_sha256:
        return newest.is_complete or bool(document.problems)
    return newest.head == _head(document) and lines.get(
        document.external_invoice_id, {}
    ) == _comparable(document.lines)


def _settle_heads(
    stored: Stored,
    documents: Sequence[tuple[Position, AppDocument]],
    versions: dict[str, list[_Version]],
    service_code: str,
) -> None:
    """A list entry is answered by the whole document, wherever that stood, unless it is newer and
    says something else."""
    for position, document in documents:
        known = versions[document.external_invoice_id]
        if document.missing is None or _refusal(document, service_code, known):
            continue
        if not known and document.is_billed:
            stored.problems.append(
                position.problem(f"{document.name} has not all of its lines: {document.missing}")
            )
        elif known and (said := _says_otherwise(document, known[-1])):
            stored.problems.append(position.problem(f"{document.name} {said}: {document.missing}"))
        else:
            stored.skipped += 1


def _says_otherwise(entry: AppDocument, newest: _Version) -> str | None:
    if entry.updated_at and newest.updated_at and entry.updated_at < newest.updated_at:
        return None
    differing = [
        f"{name.replace('_', ' ')} {_shown(was)} as imported is now {_shown(now)}"
        for name, was, now in zip(HEAD, newest.head, _head(entry), strict=True)
        if was != now and name in ("status", "currency", "net_amount", "tax_amount")
    ]
    return "; ".join(differing) or None


def _shown(value: object) -> str:
    return "unknown" if value is None else str(value)


def _stored_versions(
    connection: Connection, source: str, ids: list[str]
) -> dict[str, list[_Version]]:
    table = app_invoice.c
    updated_at = table.payload["updated_at"].astext.label("updated_at")
    exported = sa.case(
        (sa.func.jsonb_typeof(_EXPORTED) == "array", sa.func.jsonb_array_length(_EXPORTED)), else_=0
    )
    line = app_billing_line.c
    read = (
        sa.select(sa.func.count())
        .where(*(line[name] == table[name] for name in KEY))
        .scalar_subquery()
    )
    needed = (*KEY, "service_code", "content_sha256", *HEAD)  # a payload is large
    statement = (
        sa.select(
            *(table[name] for name in needed), updated_at, (exported <= read).label("is_complete")
        )
        .where(table.source == source, table.external_invoice_id == sa.func.any(ids))
        .order_by(table.external_invoice_id, table.version)
    )
    versions: dict[str, list[_Version]] = {}
    for row in connection.execute(statement).mappings():
        versions.setdefault(row["external_invoice_id"], []).append(
            _Version(
                number=row["version"],
                service_code=row["service_code"],
                content_sha256=bytes(row["content_sha256"]),
                updated_at=_instant(row["updated_at"]),
                head=tuple(row[name] for name in HEAD),
                is_complete=row["is_complete"],
            )
        )
    return versions


def _instant(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        return None


def _newest_lines(
    connection: Connection, source: str, versions: dict[str, list[_Version]]
) -> dict[str, dict[str, tuple[Any, ...]]]:
    table = app_billing_line.c
    statement = sa.select(*(table[name] for name in (*KEY, *LINE))).where(
        table.source == source, table.external_invoice_id == sa.func.any(list(versions))
    )
    found: dict[str, dict[str, tuple[Any, ...]]] = {name: {} for name in versions}
    for row in connection.execute(statement).mappings():
        name = row["external_invoice_id"]
        if row["version"] == versions[name][-1].number:
            found[name][row["external_line_id"]] = tuple(row[column] for column in LINE)
    return found


def _comparable(lines: Sequence[BillingLine]) -> dict[str, tuple[Any, ...]]:
    return {line.external_line_id: tuple(getattr(line, name) for name in LINE) for line in lines}


def _head(document: AppDocument) -> tuple[Any, ...]:
    return tuple(getattr(document, name) for name in HEAD)


def _version(document: AppDocument, service_code: str, last: int) -> _Version:
    return _Version(
        number=last + 1,
        service_code=service_code,
        content_sha256=document.content_sha256,
        updated_at=document.updated_at,
        head=_head(document),
        is_complete=not document.problems,
    )


def _invoice_row(
    source: str, version: _Version, document: AppDocument, file: str
) -> tuple[Any, ...]:
    return (
        *(source, document.external_invoice_id, version.number, version.service_code),
        *version.head,
        *(document.content_sha256, document.payload, file),
    )


def _line_rows(
    source: str, version: _Version, document: AppDocument, file: str
) -> list[tuple[Any, ...]]:
    key = (source, document.external_invoice_id, version.number)
    of_document = (document.invoice_number, document.status, document.issued_on, file)
    return [(*key, *astuple(line), version.service_code, *of_document) for line in document.lines]
