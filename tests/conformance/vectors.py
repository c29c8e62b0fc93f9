"""Test vectors as they stand in their file, read so that nothing in them is passed over."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

# What says where a vector comes from. Lago's premium features are no feature of ours to switch on.
DESCRIPTIVE = frozenset({"id", "category", "model", "provenance", "source", "notes", "premium"})

_MOST_DIGITS = 200_000  # PostgreSQL's numeric has fewer


class VectorFileError(Exception):
    """The file is no list of vectors; one line that says why."""


class VectorError(Exception):
    """A vector that cannot be run, and why: it fails, alone."""


@dataclass
class Vector:
    """One vector, and which of its keys somebody has read."""

    record: dict[str, Any]
    position: int
    read: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        return str(self.record.get("id", f"#{self.position}"))

    @property
    def category(self) -> str:
        return str(self.record.get("category"))

    @property
    def model(self) -> str:
        return str(self.record.get("model"))

    def __contains__(self, name: str) -> bool:
        return name in self.record

    def take(self, name: str, default: Any = None) -> Any:
        """The value, now counted as read; the default where the vector has none."""
        self.read.add(name)
        return self.record.get(name, default)

    def need(self, name: str) -> Any:
        """The value; VectorError where the vector has none."""
        if name not in self.record:
            raise VectorError(f"{name} is missing")
        return self.take(name)

    def number(self, name: str, default: str | None = None) -> Decimal:
        """The value as an exact number; VectorError where it is none."""
        return number(self.need(name) if default is None else self.take(name, default), name)

    def flag(self, name: str) -> bool:
        value = self.take(name, False)
        if not isinstance(value, bool):
            raise VectorError(f"{name} is {value!r}, not true or false")
        return value

    def unread(self) -> list[str]:
        """Keys that nobody has read: what they mean is unknown here."""
        return sorted(self.record.keys() - self.read - DESCRIPTIVE)


def number(value: object, name: str) -> Decimal:
    """A JSON number or numeric text as an exact number; VectorError names the key."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise VectorError(f"{name} is {value!r}, not a number")
    try:
        read = Decimal(value)
    except InvalidOperation:
        raise VectorError(f"{name} is {value!r}, not a number") from None
    if not read.is_finite() or abs(read.adjusted()) > _MOST_DIGITS:
        raise VectorError(f"{name} is {value!r}, beyond all numbers")
    return read


def only(record: object, known: Iterable[str], where: str) -> dict[str, Any]:
    """The object, whose keys are all known; VectorError names the one that is not."""
    if not isinstance(record, dict):
        raise VectorError(f"{where} is {record!r}, not an object")
    strange = sorted(record.keys() - set(known))
    if strange:
        raise VectorError(f"unknown key in {where}: {', '.join(strange)}")
    return record


def items(value: object, where: str) -> list[Any]:
    """The list; VectorError where it is none."""
    if not isinstance(value, list):
        raise VectorError(f"{where} is {value!r}, not a list")
    return value


def load(file: Path) -> list[Vector]:
    """All vectors of a file. Raises VectorFileError where it is not a list of objects."""
    try:
        records = json.loads(file.read_text(), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise VectorFileError(f"{file}: {error}") from error
    if not isinstance(records, list):
        raise VectorFileError(f"{file}: a list of vectors is wanted, this is no list")
    for position, record in enumerate(records, 1):
        if not isinstance(record, dict):
            raise VectorFileError(f"{file}: vector {position} is not an object")
    return [Vector(record, position) for position, record in enumerate(records, 1)]


def plain(value: Decimal) -> str:
    """A number as an app sends it: digits only, never an exponent, which Lago would drop."""
    return format(value, "f")
