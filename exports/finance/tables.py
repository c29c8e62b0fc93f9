"""What a table of the month's files is: its question, its columns, and a mart's rows in SQL."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

Value = str | int | Decimal | dt.date | dt.datetime | None
Row = dict[str, Value]


class Kind(Enum):
    """What a column holds; decides its type in Arrow and Parquet and its format in Excel."""

    TEXT = "text"
    INTEGER = "bigint"
    DATE = "date"
    TIMESTAMP = "timestamptz"
    MONEY = "money"  # numeric, shown with two decimals, kept with all
    NUMBER = "number"  # numeric, as many decimals as the value has
    RATIO = "ratio"  # per cent in the mart; on the sheet a formula of its own

    @property
    def is_numeric(self) -> bool:
        return self in (Kind.MONEY, Kind.NUMBER, Kind.RATIO)

    @property
    def is_right(self) -> bool:
        """Figures stand on the right."""
        return self.is_numeric or self is Kind.INTEGER


@dataclass(frozen=True)
class Column:
    """`name` in the mart, `heading` and `width` (characters) on the sheet.

    A column that formulas read (`read`) is a number in every cell: text would drop out of a sum.
    `ratio` names the columns whose quotient it is. `about` describes a column that is no mart's.
    `none` is what stands for null, where null means something.
    """

    name: str
    heading: str
    kind: Kind = Kind.TEXT
    width: int = 14
    read: bool = False
    ratio: tuple[str, str] | None = None
    about: str = ""
    none: str = ""


@dataclass(frozen=True)
class Table:
    """A table as a reader meets it: a sheet of the workbook, a section of the page."""

    sheet: str
    question: str  # what it answers, in one sentence
    columns: tuple[Column, ...]
    printed: str = ""  # the last column that is printed; all of them where empty
    mart: str = ""  # where dbt describes its columns


@dataclass(frozen=True)
class Mart:
    """The rows of a mart that make a table: `day` (SQL) is the day that places a row in a month,
    `order_by` a total order in SQL. `months` counts the months read, the month's own the last."""

    table: Table
    day: str
    order_by: str
    months: int = 1

    @property
    def name(self) -> str:
        return self.table.mart
