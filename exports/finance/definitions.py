"""What the columns mean, in dbt's words: finance reads what the models themselves promise."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from exports.finance.errors import FinanceExportError
from exports.finance.tables import Table


@dataclass(frozen=True)
class Definition:
    """A column as it is shown and as it is described. `mart` is empty for what is no mart's."""

    sheet: str
    heading: str
    mart: str
    column: str
    text: str


def definitions(manifest: Path, tables: tuple[Table, ...]) -> list[Definition]:
    """One definition per column shown, in order of sheet and column.

    `manifest` is dbt's manifest.json. FinanceExportError where it cannot be read, or where it does
    not know a mart: it is another project's then, or of another version.
    """
    try:
        nodes = json.loads(manifest.read_bytes())["nodes"].values()
    except (OSError, ValueError, KeyError) as error:
        raise FinanceExportError(
            f"dbt's manifest {manifest} cannot be read ({error}): the columns have no definitions. "
            "`fusion-billing reconcile` writes it."
        ) from None
    described = {
        node["name"]: {name: column["description"] for name, column in node["columns"].items()}
        for node in nodes
        if node["resource_type"] == "model"
    }
    unknown = sorted({table.mart for table in tables if table.mart} - described.keys())
    if unknown:
        raise FinanceExportError(
            f"dbt's manifest {manifest} does not know {', '.join(unknown)}: it was written by "
            "another version. `fusion-billing reconcile` writes it anew."
        )
    return [
        Definition(
            sheet=table.sheet,
            heading=column.heading,
            mart=table.mart,
            column=column.name if table.mart else "",
            text=" ".join((column.about or described[table.mart].get(column.name, "")).split()),
        )
        for table in tables
        for column in table.columns
    ]
