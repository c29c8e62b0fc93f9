"""How commands speak: a table for people or JSON for programs, and errors in one line."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

from rich.console import Console
from rich.table import Table

# No markup: what is shown comes from outside, and "[paid]" would vanish as a style.
# Where there is no terminal to measure, 80 columns would break every other row.
_WIDTH = None if sys.stdout.isatty() else 120

out = Console(width=_WIDTH, highlight=False, markup=False, soft_wrap=True)
err = Console(width=_WIDTH, stderr=True, highlight=False, markup=False, soft_wrap=True)


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"


def show(value: Any, format_: Format, *, title: str = "") -> None:
    """A record or a list of records. JSON: numbers that are money stay exact, as strings."""
    plain = _plain(value)
    if format_ is Format.JSON:
        print(json.dumps(plain, indent=2, ensure_ascii=False))
    elif isinstance(plain, Mapping):
        _show_record(plain, title)
    else:
        _show_rows(plain, title)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Path | UUID):
        return str(value)
    return value


def _show_record(record: Mapping[str, Any], title: str) -> None:
    table = Table(title=title or None, show_header=False, box=None, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    for key, value in record.items():
        table.add_row(key.replace("_", " "), _cell(value))
    out.print(table)


def _show_rows(rows: Sequence[Mapping[str, Any]], title: str) -> None:
    if not rows:
        out.print(f"{title or 'Rows'}: none")
        return
    table = Table(title=title or None, box=None, title_justify="left", header_style="bold")
    for key, value in rows[0].items():
        is_number = isinstance(value, int) and not isinstance(value, bool)
        table.add_column(
            key.replace("_", " "),
            justify="right" if is_number else "left",
            overflow="fold",
            no_wrap=key.endswith("_id"),  # somebody will want to copy it
        )
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    out.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(item)}" for key, item in value.items()) or "-"
    if isinstance(value, list):
        return "\n".join(_cell(item) for item in value) or "-"
    return str(value)
