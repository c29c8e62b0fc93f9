"""A mart's month as a Parquet file, numerics as DECIMAL(38, x), row order kept, read back."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet

from exports.canonical import decimal_text
from exports.finance.errors import FinanceExportError
from exports.finance.marts import MartRows
from exports.finance.tables import Column, Kind, Row

_PRECISION = 38
# Usual scales, so that the months of a year have one schema. A value with more digits widens its
# column: rounding would be silent otherwise, for DuckDB's cast rounds.
_SCALES = {Kind.MONEY: 6, Kind.NUMBER: 12, Kind.RATIO: 12}
# Parquet is built in; a closed network must never see DuckDB look for an extension.
_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def _scale(column: Column, rows: list[Row]) -> int | None:
    """The column's scale: the usual one, or as many digits as its longest value has. None where no
    DECIMAL holds them all (one counter may have 38 digits before or after the point)."""
    scale, whole = _SCALES[column.kind], 0
    for value in (row[column.name] for row in rows):
        if isinstance(value, Decimal):
            digits, _, decimals = decimal_text(value).lstrip("-").partition(".")
            scale, whole = max(scale, len(decimals)), max(whole, len(digits))
    return scale if scale + whole <= _PRECISION else None


def _typed(column: Column, rows: list[Row]) -> str:
    scale = _scale(column, rows) if column.kind.is_numeric else None
    if scale is None:
        return f'"{column.name}"'
    return f'cast("{column.name}" as decimal({_PRECISION}, {scale})) as "{column.name}"'


def write_parquet(source: MartRows, path: Path) -> None:
    """Writes `source` to `path`. Raises FinanceExportError where the file does not say the same."""
    projection = ", ".join(_typed(column, source.rows) for column in source.table.columns)
    with duckdb.connect(":memory:", config=_OFFLINE) as connection:
        relation = connection.from_arrow(source.arrow).project(projection)
        relation.write_parquet(str(path), compression="zstd")
    numeric = [column.name for column in source.table.columns if column.kind.is_numeric]
    read_back = [
        row | {name: Decimal(row[name]) for name in numeric if row[name] is not None}
        for row in pyarrow.parquet.read_table(path).to_pylist()
    ]
    if read_back != source.rows:
        raise FinanceExportError(
            f"{path.name} does not read back as marts.{source.table.mart}: nothing was kept. "
            "`fusion-billing doctor` checks the installation."
        )
