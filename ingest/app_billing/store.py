"""Lands documents as versions: the same content once, a changed one beside the old."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

from sqlalchemy.engine import Connection

from ingest.app_billing.ages import known_age
from ingest.app_billing.files import Problem
from ingest.app_billing.footing import footing
from ingest.app_billing.lines import AppDocument
from ingest.app_billing.versions import (
    HEAD,
    KEY,
    LINE,
    Version,
    comparable,
    head_of,
    newest_lines,
    stored_versions,
    version_of,
)
from ingest.upsert import UpsertCounts, upsert
from warehouse.locks import advisory_lock
from warehouse.tables import app_billing_line, app_invoice

INVOICE_COLUMNS = (*KEY, "service_code", *HEAD, "content_sha256", "payload", "file")
LINE_COLUMNS = (
    *KEY,
    *LINE,
    "payload",
    *("service_code", "invoice_number", "status", "issued_on", "file"),
)
_DAMAGED = (
    "{} has lines that cannot be read, and was imported with all of them before: not loaded."
    " Export it again"
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
    was complete is not replaced by a part. An event that happened before what the newest version
    tells is passed over.
    """
    stored = Stored()
    if not documents:
        return stored
    advisory_lock(connection, f"app_billing:{source}")
    ids = sorted({document.external_invoice_id for _, document in documents})
    versions = stored_versions(connection, source, ids)
    lines = newest_lines(connection, source, versions)
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
        is_known = _is_known(document, known, lines)
        if not is_known and _is_bygone(document, known):
            stored.skipped += 1
            continue
        stored.problems += [position.problem(reason) for reason in footing(document)]
        if is_known:
            stored.count(document, "unchanged")
            continue
        if document.problems and known and known[-1].is_complete:
            stored.problems.append(position.problem(_DAMAGED.format(document.name)))
            continue
        version = version_of(document, service_code, len(known) and known[-1].number)
        stored.count(document, "changed" if known else "new")
        known.append(version)
        lines[document.external_invoice_id] = comparable(document.lines)
        invoice_rows.append(_invoice_row(source, version, document, position.file))
        line_rows += _line_rows(source, version, document, position.file)
    _settle_heads(stored, documents, versions, service_code)
    upsert(connection, app_invoice, INVOICE_COLUMNS, invoice_rows)
    upsert(connection, app_billing_line, LINE_COLUMNS, line_rows)
    return stored


def _refusal(document: AppDocument, service_code: str, known: list[Version]) -> str | None:
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
    known: list[Version],
    lines: dict[str, dict[str, tuple[Any, ...]]],
) -> bool:
    if document.content_sha256 not in {version.content_sha256 for version in known}:
        return False
    newest = known[-1]
    if newest.content_sha256 != document.content_sha256:
        return newest.is_complete or bool(document.problems)
    return newest.head == head_of(document) and lines.get(
        document.external_invoice_id, {}
    ) == comparable(document.lines)


def _is_bygone(document: AppDocument, known: list[Version]) -> bool:
    """Whether an event tells of a state that the newest version has left behind."""
    if not document.is_event or not known:
        return False
    newest = known[-1]
    if newest.is_event:
        return False  # of this import, where they are in order
    if not newest.is_complete and not document.problems:
        return False
    return newest.content_sha256 != document.content_sha256 and _is_older(document, newest)


def _is_older(document: AppDocument, newest: Version) -> bool:
    """What is no event has no time of its own but Lago's `updated_at` and the instants it names."""
    if document.is_event:
        status = newest.head[HEAD.index("status")]
        age = known_age(document.status, document.updated_at)
        return age < known_age(status, newest.updated_at)
    return bool(
        document.updated_at and newest.updated_at and document.updated_at < newest.updated_at
    )


def _settle_heads(
    stored: Stored,
    documents: Sequence[tuple[Position, AppDocument]],
    versions: dict[str, list[Version]],
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


def _says_otherwise(entry: AppDocument, newest: Version) -> str | None:
    if _is_older(entry, newest):
        return None
    differing = [
        f"{name.replace('_', ' ')} {_shown(was)} as imported is now {_shown(now)}"
        for name, was, now in zip(HEAD, newest.head, head_of(entry), strict=True)
        if was != now and name in ("status", "currency", "net_amount", "tax_amount")
    ]
    return "; ".join(differing) or None


def _shown(value: object) -> str:
    return "unknown" if value is None else str(value)


def _invoice_row(
    source: str, version: Version, document: AppDocument, file: str
) -> tuple[Any, ...]:
    return (
        *(source, document.external_invoice_id, version.number, version.service_code),
        *version.head,
        *(document.content_sha256, document.payload, file),
    )


def _line_rows(
    source: str, version: Version, document: AppDocument, file: str
) -> list[tuple[Any, ...]]:
    key = (source, document.external_invoice_id, version.number)
    of_document = (document.invoice_number, document.status, document.issued_on, file)
    return [(*key, *astuple(line), version.service_code, *of_document) for line in document.lines]
