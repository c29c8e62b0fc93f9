"""The records: dictionaries in memory, written through to a SQLite file at every commit.

One writer at a time. A transaction keeps the rows it replaced, so that an error undoes all of it.
The file is safe against the death of the process, not of the machine.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.odoo.fields import Row

SCHEMA = """
create table if not exists record (model text, id integer, row text, primary key (model, id));
create table if not exists counter (model text primary key, last integer not null);
create table if not exists uniqueness (
    name text primary key, model text, columns text, source text, unset text, shown text
);
"""


class UniqueViolation(Exception):
    def __init__(self, index: UniqueIndex, key: tuple[Any, ...]) -> None:
        super().__init__(f"({', '.join(index.shown)})=({', '.join(map(str, key))})")
        self.index = index


@dataclass
class UniqueIndex:
    """Rows with an unset column are not in it, as NULLs never collide in PostgreSQL, unless
    `unset` gives what it counts as. `shown` is how PostgreSQL names the columns."""

    name: str
    model: str
    columns: tuple[str, ...]
    source: str
    unset: tuple[str | None, ...]
    shown: tuple[str, ...]
    keys: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def key(self, row: Row) -> tuple[Any, ...] | None:
        found = [row.get(column, False) for column in self.columns]
        key = tuple(
            unset if part is False and unset is not None else part
            for part, unset in zip(found, self.unset, strict=True)
        )
        return None if any(part is False for part in key) else key


class Store:
    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._file.executescript(f"pragma journal_mode=wal; pragma synchronous=off; {SCHEMA}")
        self._tables: dict[str, dict[int, Row]] = defaultdict(dict)
        self._indexed: dict[str, set[str]] = defaultdict(set)
        self._referring: dict[tuple[str, str], dict[int, set[int]]] = {}
        self._undo: dict[tuple[str, int], Row | None] = {}
        self._counters: dict[str, int] = dict(self._file.execute("select model, last from counter"))
        self._unique: dict[str, UniqueIndex] = {}
        for model, number, row in self._file.execute(
            "select model, id, row from record order by id"
        ):
            self._tables[model][number] = json.loads(row)
        for name, model, columns, source, unset, shown in self._file.execute(
            "select name, model, columns, source, unset, shown from uniqueness"
        ):
            lists = [tuple(json.loads(each)) for each in (columns, unset, shown)]
            self._build(UniqueIndex(name, model, lists[0], source, lists[1], lists[2]))

    def close(self) -> None:
        self._file.close()

    def index_references(self, model: str, fields: set[str]) -> None:
        """From now on `referring` answers for these many2one and many2many fields."""
        for name in fields - self._indexed[model]:
            self._indexed[model].add(name)
            self._referring[model, name] = defaultdict(set)
            for number, row in self._tables[model].items():
                for target in _targets(row.get(name)):
                    self._referring[model, name][target].add(number)

    def rows(self, model: str) -> Mapping[int, Row]:
        return self._tables[model]

    def referring(self, model: str, name: str, target: int) -> list[int]:
        """Ids of the records of `model` whose field `name` points at `target`, ascending."""
        return sorted(self._referring[model, name].get(target, ()))

    def next_id(self, model: str) -> int:
        """As in Odoo, a number that an undone transaction took is not given again."""
        self._counters[model] = self._counters.get(model, 0) + 1
        return self._counters[model]

    def put(self, model: str, number: int, row: Row | None) -> None:
        """Inserts, replaces, or with None deletes. UniqueViolation before anything changed."""
        old = self._tables[model].get(number)
        self._reindex_unique(model, number, old, row)
        for name in self._indexed[model]:
            before, after = _targets(old and old.get(name)), _targets(row and row.get(name))
            if before != after:
                referring = self._referring[model, name]
                for target in before:
                    referring[target].discard(number)
                for target in after:
                    referring[target].add(number)
        self._undo.setdefault((model, number), old)
        if row is None:
            self._tables[model].pop(number, None)
        else:
            self._tables[model][number] = row

    def unique_indexes(self) -> list[UniqueIndex]:
        return list(self._unique.values())

    def add_unique(self, index: UniqueIndex) -> None:
        """UniqueViolation when the rows already collide."""
        self._build(index)
        self._file.execute(
            "insert into uniqueness values (?, ?, ?, ?, ?, ?)",
            (
                index.name,
                index.model,
                json.dumps(index.columns),
                index.source,
                json.dumps(index.unset),
                json.dumps(index.shown),
            ),
        )

    def drop_unique(self, name: str) -> None:
        """No error where it is not there."""
        self._unique.pop(name, None)
        self._file.execute("delete from uniqueness where name = ?", (name,))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end; undoes everything when an exception leaves it."""
        self._undo = {}
        try:
            yield
            self._commit()
        except BaseException:
            for (model, number), row in reversed(list(self._undo.items())):
                if row is not None or number in self._tables[model]:
                    self.put(model, number, row)
            raise
        finally:
            self._undo = {}

    def _commit(self) -> None:
        self._file.execute("begin")
        self._file.executemany(
            "insert or replace into record values (?, ?, ?)",
            [
                (model, number, json.dumps(self._tables[model][number]))
                for model, number in self._undo
                if number in self._tables[model]
            ],
        )
        self._file.executemany(
            "delete from record where model = ? and id = ?",
            [key for key in self._undo if key[1] not in self._tables[key[0]]],
        )
        self._file.executemany(
            "insert or replace into counter values (?, ?)", list(self._counters.items())
        )
        self._file.execute("commit")

    def _build(self, index: UniqueIndex) -> None:
        for number, row in self._tables[index.model].items():
            key = index.key(row)
            if key is not None and index.keys.setdefault(key, number) != number:
                raise UniqueViolation(index, key)
        self._unique[index.name] = index

    def _reindex_unique(self, model: str, number: int, old: Row | None, new: Row | None) -> None:
        changes = [
            (index, old and index.key(old), new and index.key(new))
            for index in self._unique.values()
            if index.model == model
        ]
        for index, before, after in changes:
            if after and after != before and index.keys.get(after, number) != number:
                raise UniqueViolation(index, after)
        for index, before, after in changes:
            if before and before != after and index.keys.get(before) == number:
                del index.keys[before]
            if after:
                index.keys[after] = number


def _targets(value: Any) -> set[int]:
    if not value:
        return set()
    return set(value) if isinstance(value, list) else {value}
