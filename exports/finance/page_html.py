"""The page's building blocks. Whatever comes from data goes through `escape`, here.

Plain semantic tables, written by hand: captions, scopes and one class for figures are all a reader,
a screen reader and a printer need, and a library that styles every cell inline gives none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from html import escape

from exports.finance.charts import Drawing
from exports.finance.plain import MINUS, count, money, percent, shown
from exports.finance.tables import Column, Kind, Row, Value

_LONG = 40  # characters from which on a column is prose, or a key
_NARROW = 4


@dataclass(frozen=True)
class Td:
    """A cell: its text, and how it is set: `num`, `day`, `long`, `ok` or `check`."""

    text: str
    css: str = ""


def text(value: Value) -> Td:
    return Td(shown(value, Kind.TEXT))


def amount(value: Decimal) -> Td:
    return Td(money(value), "num")


def whole(value: int) -> Td:
    return Td(count(value), "num")


def ratio(value: Decimal | None) -> Td:
    return Td(percent(value), "num")


@dataclass(frozen=True)
class HtmlTable:
    """`headings` with whether their column holds figures; the first cell of a row heads it."""

    caption: str
    headings: tuple[tuple[str, bool], ...]
    rows: Sequence[Sequence[Td]]
    total: Sequence[Td] = ()
    note: str = ""
    strong: frozenset[int] = frozenset()  # rows that are sums


def _cell(cell: Td, *, is_head: bool) -> str:
    css = f"{cell.css} neg" if cell.css == "num" and cell.text.startswith(MINUS) else cell.css
    name = 'th scope="row"' if is_head else "td"
    attribute = f' class="{css}"' if css else ""
    return f"<{name}{attribute}>{escape(cell.text)}</{name[:2]}>"


def _set(column: Column) -> str:
    if column.kind.is_right:
        return "num"
    if column.kind in (Kind.DATE, Kind.TIMESTAMP):
        return "day"
    return "long" if column.width >= _LONG else ""


def _row(cells: Sequence[Td], css: str = "") -> str:
    inner = "".join(_cell(cell, is_head=at == 0) for at, cell in enumerate(cells))
    return f"<tr{css}>{inner}</tr>\n"


def table(one: HtmlTable) -> str:
    """The table in a box of its own, which scrolls sideways, by keyboard too."""
    head = "".join(
        f'<th scope="col"{" class=num" if is_figure else ""}>{escape(heading)}</th>'
        for heading, is_figure in one.headings
    )
    body = "".join(
        _row(cells, ' class="sum"' if at in one.strong else "") for at, cells in enumerate(one.rows)
    )
    if not one.rows:
        body = f'<tr><td colspan="{len(one.headings)}" class="none">None.</td></tr>\n'
    # Two columns as wide as the page would be read with a ruler.
    narrow = ' class="narrow"' if len(one.headings) <= _NARROW else ""
    foot = f"<tfoot>{_row(one.total)}</tfoot>\n" if one.total else ""
    note = f'<p class="note">{escape(one.note)}</p>\n' if one.note else ""
    return (
        f'<div class="box" role="region" tabindex="0" aria-label="{escape(one.caption)}">\n'
        f"<table{narrow}>\n<caption>{escape(one.caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n{foot}</table>\n</div>\n{note}"
    )


def rows_table(
    caption: str, columns: Iterable[Column], rows: Sequence[Row], *, limit: int, note: str = ""
) -> str:
    """Rows of a mart; beyond `limit` the page says how many there are."""
    shown_columns = tuple(columns)
    if len(rows) > limit:
        note = f"{note} {limit:,} of {len(rows):,} rows; the workbook has them all.".strip()
    return table(
        HtmlTable(
            caption,
            tuple((column.heading, column.kind.is_right) for column in shown_columns),
            [
                [Td(shown(row[c.name], c.kind) or c.none, _set(c)) for c in shown_columns]
                for row in rows[:limit]
            ],
            note=note,
        )
    )


def figure(drawing: Drawing | None) -> str:
    """A chart with its caption; nothing where there is nothing to draw. The SVG is our own."""
    if drawing is None:
        return ""
    return (
        f'<figure>\n<figcaption>{escape(drawing.caption)}</figcaption>\n<div class="box" '
        f'role="region" tabindex="0" aria-label="{escape(drawing.caption)}">'
        f"{drawing.svg}</div>\n</figure>\n"
    )


def section(name: str, title: str, question: str, *parts: str) -> str:
    return (
        f'<section id="{name}" aria-labelledby="{name}-h">\n'
        f'<h2 id="{name}-h">{escape(title)}</h2>\n'
        f'<p class="question">{escape(question)}</p>\n{"".join(parts)}</section>\n'
    )
