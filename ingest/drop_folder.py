"""The drop folder: files left there are loaded at the next run, each once. What stays there undoes
nothing that came later: a cost file is known by name and content, a document by its content.

    drop/costs/*.csv, *.parquet      provider costs
    drop/lago/<service>/*.json       invoices and credit notes of an app's Lago
    drop/stripe/<service>/*.json     the same of an app's Stripe, and refunds
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Engine

from ingest.app_billing.lago import import_lago
from ingest.app_billing.load import ImportReport
from ingest.app_billing.stripe import import_stripe
from ingest.costs.files import load_costs_once
from ingest.upsert import UpsertCounts
from warehouse.services import require_service

_IMPORTERS: dict[str, Callable[..., ImportReport]] = {"lago": import_lago, "stripe": import_stripe}


@dataclass(frozen=True)
class DropReport:
    """`costs` counts files, those of them that were loaded before, and the rows of the others;
    `app_billing` documents by what became of them and the lines that were written with them.
    `problems` were not loaded or do not foot."""

    costs: dict[str, int]
    app_billing: dict[str, int | list[str]]


def load_drop_folder(engine: Engine, folder: Path) -> DropReport:
    """Loads every file. A file that is none of its kind raises its loader's error, naming it,
    and a folder of no known service UnknownServiceError."""
    costs = [load_costs_once(engine, path) for path in _files(folder / "costs")]
    loaded = [report for report in costs if report]
    invoices = [
        _import(engine, importer, service.name, files)
        for source, importer in _IMPORTERS.items()
        for service in sorted(path for path in (folder / source).glob("*") if path.is_dir())
        if (files := _files(service))
    ]
    documents = sum((report.documents for report in invoices), UpsertCounts())
    lines = sum((report.lines for report in invoices), UpsertCounts())
    return DropReport(
        costs={
            "files": len(costs),
            "unchanged_files": len(costs) - len(loaded),
            "new": sum(report.new for report in loaded),
            "changed": sum(report.changed for report in loaded),
        },
        app_billing={
            "new": documents.new,
            "unchanged": documents.unchanged,
            "changed": documents.changed,
            "lines": lines.new + lines.changed,
            "problems": [str(problem) for report in invoices for problem in report.problems],
        },
    )


def _import(
    engine: Engine, importer: Callable[..., ImportReport], service_code: str, files: list[Path]
) -> ImportReport:
    with engine.connect() as connection:
        require_service(connection, service_code)
    return importer(engine, files, service_code=service_code)


def _files(folder: Path) -> list[Path]:
    """Hidden files are a file manager's, or an upload that is still under way."""
    return sorted(path for path in folder.glob("[!.]*") if path.is_file())
