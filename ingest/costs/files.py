"""fusion_api's daily provider costs, from CSV or Parquet."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

import duckdb
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection, Engine

from ingest.costs.landing import land
from ingest.costs.rows import (
    COLUMNS,
    EARLIEST_DAY,
    FUSION_API,
    CostRow,
    UnfitCostError,
    cost_row,
    latest_day,
)
from warehouse.services import known_services
from warehouse.tables import dropped_file


class CostFileError(Exception):
    """A cost file that cannot be taken. One line: file, line and column, reason."""


@dataclass(frozen=True)
class LoadReport:
    """Rows of the file by what became of them: read = new + unchanged + changed."""

    read: int
    new: int
    unchanged: int
    changed: int


def load_costs(engine: Engine, path: Path) -> LoadReport:
    """Loads one file, all or nothing; a second time it changes nothing. A row whose amount,
    quantity or currency differs from what was loaded before replaces it.

    Raises CostFileError on a file or row that cannot be read.
    """
    with engine.begin() as connection:
        return _load(connection, path)


def load_costs_once(engine: Engine, path: Path) -> LoadReport | None:
    """As `load_costs`, but a file of this name and content that was loaded so before is left alone
    (null): its costs may have been corrected since."""
    if not path.is_file():
        raise CostFileError(f"{path.name}: no such file")
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").digest()
    once = (
        insert(dropped_file)
        .values(file=path.name, content_sha256=content)
        .on_conflict_do_nothing()
        .returning(dropped_file.c.file)
    )
    with engine.begin() as connection:
        is_new = connection.execute(once).first() is not None
        return _load(connection, path) if is_new else None


def _load(connection: Connection, path: Path) -> LoadReport:
    rows = read_costs(path, known_services(connection))
    counts = land(connection, FUSION_API, rows, told_in=path.name)
    return LoadReport(len(rows), counts.new, counts.unchanged, counts.changed)


def read_costs(path: Path, services: Collection[str]) -> list[CostRow]:
    """Every row of a CSV (with header) or Parquet file, of these services or of all.

    Raises CostFileError.
    """
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise CostFileError(f"{path.name}: neither .csv nor .parquet")
    if not path.is_file():
        raise CostFileError(f"{path.name}: no such file")
    rows: list[CostRow] = []
    latest = latest_day()
    first_seen: dict[str, int] = {}
    for index, values in enumerate(_records(path)):
        try:
            row = cost_row(values)
            _check(row, services, latest)
        except UnfitCostError as error:
            place = f"{_place(path, index)}, column {error.column}"
            raise CostFileError(f"{place}: {error.reason}") from None
        earlier = first_seen.setdefault(row.cost_key, index)
        if earlier != index:
            raise CostFileError(
                f"{_place(path, index)}: the same provider, sku, day, service and account as "
                f"{_place(path, earlier)}"
            )
        rows.append(row)
    return rows


def _check(row: CostRow, services: Collection[str], latest: date) -> None:
    """What POST /costs refuses as well: a service that is none, a day that nobody can know of."""
    if row.service_code and row.service_code not in services:
        raise UnfitCostError(
            "service_code",
            f"there is no service {row.service_code!r}. Known: {', '.join(services) or 'none'};"
            " `fusion-billing service add` makes one",
        )
    if not EARLIEST_DAY <= row.day <= latest:
        raise UnfitCostError(
            "day", f"'{row.day}' is not between {EARLIEST_DAY} and tomorrow, {latest}"
        )


def _records(path: Path) -> Iterator[Mapping[str, str]]:
    """The file's rows as text, in order. DuckDB reads numbers as they are written, never as a
    double; a Parquet column that is a double has lost its decimals already."""
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        try:
            if path.suffix.lower() == ".csv":
                header = _header(path)
                _check_columns(path, header)
                # Nothing is guessed: a sniffed dialect would turn a broken line into fewer rows.
                file = connection.read_csv(
                    str(path),
                    auto_detect=False,
                    header=True,
                    columns=dict.fromkeys(header, "VARCHAR"),
                    delimiter=",",
                    quotechar='"',
                    escapechar='"',
                )
            else:
                file = connection.read_parquet(str(path))
                _check_columns(path, file.columns)
                _check_exact(path, dict(zip(file.columns, map(str, file.types), strict=True)))
            text = (f"coalesce(cast(\"{name}\" as varchar), '')" for name in COLUMNS)
            found = file.project(", ".join(text)).fetchall()
        except duckdb.Error as error:
            raise CostFileError(f"{path.name}: {_duckdb_reason(error)}") from None
    return (dict(zip(COLUMNS, values, strict=True)) for values in found)


def _header(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        try:
            header = next(csv.reader(file), [])
        except csv.Error as error:
            raise CostFileError(f"{path.name}, line 1: {error}") from None
    if len(set(header)) != len(header):
        raise CostFileError(f"{path.name}, line 1: two columns have the same name")
    return header


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise CostFileError(
            f"{path.name}: no column {', '.join(missing)}; a cost file has {', '.join(COLUMNS)}"
        )


def _check_exact(path: Path, types: Mapping[str, str]) -> None:
    for name in ("quantity", "amount"):
        if types[name] in ("DOUBLE", "FLOAT"):
            raise CostFileError(
                f"{path.name}, column {name}: is {types[name]}, which is not exact; "
                "write it as DECIMAL or text"
            )


def _duckdb_reason(error: duckdb.Error) -> str:
    """DuckDB explains over many lines: which line, the line itself, what is wrong, and options."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    place = re.search(r"CSV Error on Line: (\d+)", lines[0])
    if place is None:
        return lines[0]
    reasons = [line for line in lines[1:] if not line.startswith("Original Line:")]
    return f"line {place[1]}: {reasons[0] if reasons else 'unreadable'}"


def _place(path: Path, index: int) -> str:
    """Where a reader finds the row: the line of a CSV (quoted fields may span lines, blank lines
    are no rows), the row of a Parquet file."""
    if path.suffix.lower() == ".parquet":
        return f"{path.name}, row {index + 1}"
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.reader(file)
        records = (reader.line_num for record in reader if record)
        try:
            line = next(islice(records, index + 1, None), index + 2)
        except csv.Error:  # a field that is longer than this reader takes
            line = reader.line_num
    return f"{path.name}, line {line}"
