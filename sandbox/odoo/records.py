"""The reading half of the double's ORM: values, names, searches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from sandbox.odoo.domains import compiled, mentions_active
from sandbox.odoo.errors import UserError, WrongValue, missing
from sandbox.odoo.fields import Field, Model, Row, empty
from sandbox.odoo.storage import Store

if TYPE_CHECKING:
    from sandbox.odoo.environment import Environment

USER = 2
LOG_FIELDS: dict[str, Field] = {
    "id": Field("integer", "ID"),
    "create_uid": Field("many2one", "Created by", relation="res.users"),
    "create_date": Field("datetime", "Created on"),
    "write_uid": Field("many2one", "Last Updated by", relation="res.users"),
    "write_date": Field("datetime", "Last Updated on"),
    "display_name": Field(
        "char", "Display Name", compute=lambda env, model, number: env.display_name(model, number)
    ),
}
TRUNCATED = "%Y-%m-%d %H:%M:%S"


@dataclass
class Behaviour:
    """What a model does beyond storing. Hooks take (env, …) and may raise faults.

    prepare(env, values): fills in what Odoo computes before the row exists.
    created(env, ids) · written(env, ids, values): after the change.
    writing(env, ids, values, names): before it, with the names of all fields written, x2many too.
    deleting(env, ids) · deleted(env, rows): before and after a delete.
    methods: public methods, called as method(env, ids, *args, **kwargs).
    """

    order: str = "id"
    prepare: Callable[[Environment, Row], None] | None = None
    created: Callable[[Environment, list[int]], None] | None = None
    writing: Callable[[Environment, list[int], Row, set[str]], None] | None = None
    written: Callable[[Environment, list[int], Row], None] | None = None
    deleting: Callable[[Environment, list[int]], None] | None = None
    deleted: Callable[[Environment, list[Row]], None] | None = None
    display_name: Callable[[Any, int], Any] | None = None
    methods: dict[str, Callable[..., Any]] = field(default_factory=dict)


class Records:
    """One call's view: the store, the models, the context, and what the company calls today."""

    def __init__(
        self,
        store: Store,
        models: dict[str, dict[str, Field]],
        labels: dict[str, str],
        behaviours: Mapping[str, Behaviour],
        today: date | None = None,
    ) -> None:
        self.store = store
        self.models = models
        self.labels = labels
        self._behaviours = behaviours
        self._today = today
        self._precisions: dict[str, int] = {}
        self.context: dict[str, Any] = {}
        self.now = ""
        self.totals_told: set[int] = set()  # orders, in this call
        for model in models:
            self.index(model)

    def begin(self, context: Mapping[str, Any]) -> None:
        """A new call starts: its context and the time its changes will carry."""
        self.context = dict(context)
        self.now = datetime.now(UTC).strftime(TRUNCATED)
        self._precisions = {}
        self.totals_told = set()

    @property
    def today(self) -> str:
        return (self._today or datetime.now(UTC).date()).isoformat()

    def index(self, model: str) -> None:
        self.store.index_references(
            model, {name for name, each in self.models[model].items() if each.indexed}
        )

    def model(self, name: str) -> Model:
        try:
            return self.models[name]
        except KeyError:
            raise UserError(f"Object {name} doesn't exist") from None

    def behaviour(self, model: str) -> Behaviour:
        return self._behaviours.get(model) or Behaviour()

    def exists(self, model: str, ids: Iterable[int]) -> list[int]:
        rows = self.store.rows(model)
        return [number for number in ids if number in rows]

    def checked(self, model: str, ids: Iterable[int]) -> list[int]:
        rows = self.store.rows(model)
        ids = list(ids)
        for number in ids:
            if number not in rows:
                raise missing(model, number)
        return ids

    def row(self, model: str, number: int) -> Row:
        try:
            return self.store.rows(model)[number]
        except KeyError:
            raise missing(model, number) from None

    def value(self, model: str, number: int, name: str) -> Any:
        """One field of one record, raw: many2one as id or False."""
        described = self.models[model][name]
        if described.stored:
            row = self.store.rows(model).get(number)
            if row is None:
                return empty(described)
            found = row.get(name)
            return empty(described) if found is None else found
        if described.related:
            link, target = described.related
            through = self.models[model][link].relation
            linked = self.value(model, number, link)
            return self.value(through, linked, target) if linked and through else empty(described)
        if described.compute:
            return described.compute(self, model, number)
        return self.referring(str(described.relation), str(described.inverse), number)

    def referring(self, model: str, name: str, target: int) -> list[int]:
        ids = self.store.referring(model, name, target)
        if "sequence" in self.models[model]:
            ids.sort(key=lambda number: (self.value(model, number, "sequence"), number))
        return ids

    def display_name(self, model: str, number: int) -> Any:
        named = self.behaviour(model).display_name
        if named:
            return named(self, number)
        name = "name" if "name" in self.models[model] else "x_name"
        if name not in self.models[model]:
            return f"{model},{number}"
        return self.value(model, number, name) or False

    def precision(self, usage: str | None) -> int | None:
        if usage is None:
            return None
        if usage not in self._precisions:
            rows = self.store.rows("decimal.precision").values()
            self._precisions |= {row["name"]: row["digits"] for row in rows}
        return self._precisions.get(usage, 2)

    def search(
        self,
        model: str,
        domain: Sequence[Any],
        offset: int = 0,
        limit: int | None = None,
        order: str | None = None,
    ) -> list[int]:
        matches = compiled(self, model, domain)
        fields = self.model(model)
        hide = (
            "active" in fields
            and self.context.get("active_test", True)
            and not mentions_active(domain)
        )
        ids = [
            number
            for number in sorted(self.store.rows(model))
            if (not hide or self.value(model, number, "active")) and matches(number)
        ]
        ids = self._ordered(model, ids, order or self.behaviour(model).order)
        return ids[offset : None if not limit else offset + limit]

    def _ordered(self, model: str, ids: list[int], order: str) -> list[int]:
        for part in reversed(order.split(",")):
            found = re.fullmatch(r"\s*(\w+)(?:\s+(asc|desc))?\s*", part, re.IGNORECASE)
            if not found:
                raise UserError(
                    f'Invalid "order" specified ({order}). A valid "order" specification is a'
                    " comma-separated list of valid field names (optionally followed by asc/desc"
                    " for the direction)"
                )
            name, down = found[1], (found[2] or "").lower() == "desc"
            if name not in self.models[model]:
                raise WrongValue(f"Invalid field {name!r} on model {model!r}")
            if name == "id":
                ids = sorted(ids, reverse=down)
                continue
            keyed = [(self.value(model, number, name), number) for number in ids]
            # PostgreSQL: unset values come last, and first when descending.
            keyed.sort(
                key=lambda pair: (pair[0] is False, 0 if pair[0] is False else pair[0]),
                reverse=down,
            )
            ids = [number for _value, number in keyed]
        return ids

    def read(
        self,
        model: str,
        ids: Iterable[int],
        names: Sequence[str] | None,
        load: str | None = "_classic_read",
    ) -> list[Row]:
        fields = self.model(model)
        wanted = list(names) if names else list(fields)
        for name in wanted:
            if name not in fields:
                raise WrongValue(f"Invalid field {name!r} on {model!r}")
        plain = [(name, fields[name]) for name in wanted if name != "id"]
        records = []
        for number in self.exists(model, ids):
            record: Row = {"id": number}
            for name, described in plain:
                found = self.value(model, number, name)
                if described.type == "many2one" and found and load:
                    found = [found, self.display_name(str(described.relation), found)]
                record[name] = found
            records.append(record)
        return records
