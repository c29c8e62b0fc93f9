"""Files of YAML that people review before they are applied: read key by key, with every problem at
once, each with its line and field.

Numbers are taken from the text itself, so that 0.10 stays a decimal and never was a float.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import yaml

NUMBER = re.compile(r"\d+(\.\d+)?")
INTEGER = re.compile(r"-?\d+")
# Codes become parts of keys, which are joined by these.
CODE = re.compile(r"[^\s/:~,]+")
FLAGS = {"true": True, "yes": True, "false": False, "no": False}
NULLS = {"", "~", "null", "Null", "NULL"}


@dataclass(frozen=True, order=True)
class Problem:
    """`field` is the path within the file, e.g. charges[2].properties.amount."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.field}: {self.message}"


class ReviewedFileError(Exception):
    """A file that cannot be applied. Its text has a line for every problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(map(str, self.problems)))


class File:
    """A file and the problems found in it so far."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []

    def problem(self, line: int, field: str, message: str) -> None:
        self.problems.append(Problem(self.name, line, field, message))


class Record:
    """One mapping. A key that no reading method asked for is a problem when it is `finish`ed."""

    def __init__(self, file: File, node: yaml.Node, path: str) -> None:
        self.file, self.path, self.line = file, path, node.start_mark.line + 1
        self.keys: dict[str, yaml.Node] = {}
        self._asked: set[str] = set()
        self._is_mapping = isinstance(node, yaml.MappingNode)
        if not isinstance(node, yaml.MappingNode):
            self.problem("", "must be a mapping of keys to values")
            return
        for key, value in node.value:
            name = str(key.value)
            if name in self.keys:
                file.problem(key.start_mark.line + 1, self._field(name), "stands here twice")
            self.keys[name] = value

    def problem(self, key: str, message: str) -> None:
        node = self.keys.get(key)
        line = node.start_mark.line + 1 if node is not None else self.line
        self.file.problem(line, self._field(key), message)

    def missing(self, key: str, message: str = "is missing") -> None:
        """A problem, unless what stands there was one already."""
        field = self._field(key)
        if self._is_mapping and not any(problem.field == field for problem in self.file.problems):
            self.problem(key, message)

    def finish(self) -> None:
        for key in self.keys:
            if key not in self._asked:
                self.problem(key, f"is not known here; allowed: {', '.join(sorted(self._asked))}")

    def places(self) -> dict[str, tuple[int, str]]:
        """Line and field of every key that stands here."""
        return {
            key: (node.start_mark.line + 1, self._field(key)) for key, node in self.keys.items()
        }

    def has(self, key: str) -> bool:
        self._asked.add(key)
        return key in self.keys

    def text(self, key: str) -> str | None:
        node = self._get(key)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode):
            self.problem(key, "must be a single value")
            return None
        value = str(node.value)
        return None if value in NULLS and node.style is None else value

    def required(self, key: str) -> str:
        value = self.text(key)
        if value is None:
            self.missing(key)
        return value or ""

    def code(self, key: str, default: str | None = None) -> str:
        """A short name; '' where it is missing or bad, which is a problem already."""
        value = self.text(key) if default is not None else self.required(key)
        if value is None:
            return str(default)
        if value and not CODE.fullmatch(value):
            self.problem(key, f"{value!r} must have no blanks and none of / : ~ ,")
        return value

    def choice(self, key: str, allowed: Mapping[str, str], default: str | None = None) -> str:
        value = self.text(key) if default is not None else self.required(key)
        if value is None:
            return str(default)
        if value and value not in allowed:
            self.problem(key, f"{value!r} is not one of {', '.join(allowed)}")
        return allowed.get(value, "")

    def number(self, key: str) -> Decimal | None:
        value = self.text(key)
        if value is None:
            return None
        if not NUMBER.fullmatch(value):
            self.problem(key, f"{value!r} is not a decimal number of 0 or more, such as 0.0023")
            return None
        return Decimal(value)

    def required_number(self, key: str) -> Decimal:
        value = self.number(key)
        if value is None:
            self.missing(key)
        return value if value is not None else Decimal(0)

    def integer(self, key: str) -> int | None:
        value = self.text(key)
        if value is None:
            return None
        if not INTEGER.fullmatch(value):
            self.problem(key, f"{value!r} is not a whole number")
            return None
        return int(value)

    def flag(self, key: str) -> bool:
        value = self.text(key)
        if value is not None and value.lower() not in FLAGS:
            self.problem(key, f"{value!r} is neither true nor false")
        return FLAGS.get(str(value).lower(), False)

    def day(self, key: str) -> date | None:
        value = self.text(key)
        if value is None:
            return None
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.problem(key, f"{value!r} is not a day such as 2026-10-31")
            return None

    def texts(self, key: str) -> tuple[str, ...]:
        items = self._items(key)
        if not all(isinstance(item, yaml.ScalarNode) for item in items):
            self.problem(key, "must be a list of single values")
            return ()
        values = tuple(str(item.value) for item in items)
        if len(set(values)) < len(values):
            self.problem(key, "names a value twice")
        return values

    def records(self, key: str) -> list[Record]:
        path = self._field(key)
        return [
            Record(self.file, item, f"{path}[{position}]")
            for position, item in enumerate(self._items(key), start=1)
        ]

    def record(self, key: str) -> Record | None:
        node = self._get(key)
        return None if node is None else Record(self.file, node, self._field(key))

    def _items(self, key: str) -> Sequence[yaml.Node]:
        node = self._get(key)
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.problem(key, "must be a list")
            return ()
        return list(node.value)

    def _get(self, key: str) -> yaml.Node | None:
        self._asked.add(key)
        return self.keys.get(key)

    def _field(self, key: str) -> str:
        return ".".join(part for part in (self.path, key) if part)


def open_file(path: Path, *, holds: str) -> Record:
    """The file's one mapping; `holds` tells what belongs into an empty one.

    Raises ReviewedFileError where it is not YAML, OSError where it is away.
    """
    file = File(path.name)
    try:
        # Of one document only; nothing in it is constructed, so no tag can do anything.
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        file.problem(mark.line + 1 if mark else 1, "YAML", str(error.problem or error.context))
        raise ReviewedFileError(file.problems) from None
    except RecursionError:
        file.problem(1, "YAML", "nests more deeply than any such file; it holds " + holds)
        raise ReviewedFileError(file.problems) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        file.problem(1, "YAML", " ".join(str(error).split()))
        raise ReviewedFileError(file.problems) from None
    if node is None:
        file.problem(1, "YAML", f"the file is empty; it holds {holds}")
        raise ReviewedFileError(file.problems)
    return Record(file, node, "")
