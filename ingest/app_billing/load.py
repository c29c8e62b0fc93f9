"""Reads the files of an import, lands what they hold, and reports what became of each document."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
from sqlalchemy.engine import Engine

from ingest.app_billing.content import from_epoch
from ingest.app_billing.files import WHOLE, AppBillingFileError, Problem, read_documents
from ingest.app_billing.lines import AppDocument
from ingest.app_billing.store import Position, Stored, store
from ingest.upsert import UpsertCounts


@dataclass(frozen=True)
class ImportReport:
    """`documents` are invoices, credit notes and refunds: new, unchanged, or changed, which is a
    new version. `lines` are counted with their document. `skipped` documents need no lines: list
    entries of which the whole document is there, or which bill nothing, events of other kinds and
    events from before what was imported.
    `problems` name what was not loaded, and documents whose lines do not sum to their totals."""

    documents: UpsertCounts
    lines: UpsertCounts
    skipped: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class Told:
    """An event that carried a document: when it happened, in epoch seconds, where it says so, and
    whether those beside it are listed newest first."""

    at: int | None
    newest_first: bool = False


@dataclass(frozen=True)
class Part:
    """One document of a file: `kind` says what to read it as. With `is_list` it is none, but the
    list that those before it stood in."""

    kind: str
    content: msgspec.Raw
    told: Told | None = None
    is_list: bool = False


class NotThisExportError(ValueError):
    """A JSON document of another kind. The message says what was expected."""


@dataclass(frozen=True)
class Found(Part):
    """A part of an export where it stood."""

    position: Position = field(kw_only=True)


@dataclass
class Reading:
    """What a biller's reader made of the documents of all files."""

    documents: list[tuple[Position, AppDocument]] = field(default_factory=list)
    skipped: int = 0
    problems: list[Problem] = field(default_factory=list)

    def read(self, found: Found, reader: Callable[[msgspec.Raw], AppDocument]) -> None:
        """Reads one document; what cannot be read is a problem at its position."""
        try:
            document = _as_told(reader(found.content), found.told)
        except (ValueError, RecursionError) as error:
            self.problems.append(found.position.problem(str(error)))
            return
        self.documents.append((found.position, document))
        self.problems += [
            found.position.problem(reason, f" ({document.external_invoice_id}), {line}")
            for line, reason in document.problems
        ]


@dataclass(frozen=True)
class Format:
    """How one biller's export is read.

    `split` takes a JSON document apart, or raises NotThisExportError; `read` reads the parts of all
    files together, in their order.
    """

    source: str
    what: str
    split: Callable[[msgspec.Raw], list[Part]]
    read: Callable[[list[Found]], Reading]


def import_files(
    engine: Engine,
    paths: Iterable[Path],
    *,
    service_code: str,
    format: Format,
    dry_run: bool = False,
) -> ImportReport:
    """Loads the files in one transaction, which a dry run takes back. A file that is no such export
    raises AppBillingFileError and nothing is loaded; what cannot be read is reported and the rest
    loads."""
    found: list[Found] = []
    problems: list[Problem] = []
    for path in paths:
        of_file, wrong = _split(path, format)
        found += of_file
        problems += wrong
    reading = format.read(found)
    with engine.connect() as connection, connection.begin() as transaction:
        stored = store(connection, format.source, service_code, reading.documents)
        if dry_run:
            transaction.rollback()
    return _report(reading, stored, problems)


def _as_told(document: AppDocument, told: Told | None) -> AppDocument:
    if told is None:
        return document
    at = document.updated_at if told.at is None else from_epoch(told.at)
    return replace(document, is_event=True, updated_at=at)


def _report(reading: Reading, stored: Stored, problems: list[Problem]) -> ImportReport:
    return ImportReport(
        documents=stored.documents,
        lines=stored.lines,
        skipped=reading.skipped + stored.skipped,
        problems=(*problems, *reading.problems, *stored.problems),
    )


def _split(path: Path, format: Format) -> tuple[list[Found], list[Problem]]:
    documents = read_documents(path, format.what)
    found: list[Found] = []
    strangers: list[Problem] = []
    for where, document in documents.found:
        try:
            parts = format.split(document)
        except NotThisExportError as error:
            strangers.append(Problem(path.name, where, str(error)))
            continue
        whole = sum(not part.is_list for part in parts)
        number = 0
        for part in parts:
            number += not part.is_list
            position = Position(path.name, _position(where, part, number, whole))
            found.append(Found(**vars(part), position=position))
    if strangers and len(strangers) == len(documents.found):
        raise AppBillingFileError(
            f"{path.name}: is not a {format.what}: {strangers[0].reason}. Nothing was loaded."
        )
    return found, documents.problems + strangers


def _position(where: str, part: Part, number: int, parts: int) -> str:
    if part.is_list:
        return "whole list"
    within = f"{part.kind.replace('_', ' ')} {number}"
    if where == WHOLE:
        return within
    return where if parts == 1 else f"{where}, {within}"
