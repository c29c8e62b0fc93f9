"""The double's ORM: create, read, write, search and delete, with hooks for what models do."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sandbox.odoo.domains import compiled, mentions_active
from sandbox.odoo.errors import UserError, ValidationError, WrongValue, missing
from sandbox.odoo.fields import X2MANY, Field, Model, Row, coerced, empty
from sandbox.odoo.storage import Store

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
    display_name: Callable[[Environment, int], Any] | None = None
    methods: dict[str, Callable[..., Any]] = field(default_factory=dict)


class Environment:
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
        for model in models:
            self.index(model)

    def begin(self, context: Mapping[str, Any]) -> None:
        """A new call starts: its context and the time its changes will carry."""
        self.context = dict(context)
        self.now = datetime.now(UTC).strftime(TRUNCATED)
        self._precisions = {}

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

    # --- reading

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

    # --- changing

    def create(self, model: str, values: Sequence[Mapping[str, Any]]) -> list[int]:
        fields, behaviour = self.model(model), self.behaviour(model)
        ids: list[int] = []
        for given in values:
            row, commands = self._split(model, given)
            given_names = {*row, *(name for name, _command in commands), *LOG_FIELDS}
            for name, described in fields.items():
                default = described.default
                if default is not None and name not in given_names:
                    row[name] = default(self) if callable(default) else default
            if behaviour.prepare:
                behaviour.prepare(self, row)
            number = self.store.next_id(model)
            row |= {"id": number, "create_uid": USER, "create_date": self.now}
            self._check(model, row)
            self.store.put(model, number, {**row, "write_uid": USER, "write_date": self.now})
            self._written_through(model, number, row)
            for name, each in commands:
                self._command(model, number, name, each)
            ids.append(number)
        if behaviour.created:
            behaviour.created(self, ids)
        return ids

    def write(self, model: str, ids: Iterable[int], values: Mapping[str, Any]) -> None:
        ids = self.checked(model, ids)
        row, commands = self._split(model, values)
        behaviour = self.behaviour(model)
        if behaviour.writing:
            behaviour.writing(self, ids, row, set(values))
        for number in ids:
            self.update(model, number, row)
            self._written_through(model, number, row)
            for name, each in commands:
                self._command(model, number, name, each)
        if behaviour.written:
            behaviour.written(self, ids, row)

    def update(self, model: str, number: int, changes: Mapping[str, Any]) -> None:
        """Stores values as they are, without hooks: for what Odoo recomputes by itself."""
        stored = {name: each for name, each in changes.items() if self.models[model][name].stored}
        row = {**self.row(model, number), **stored, "write_uid": USER, "write_date": self.now}
        self._check(model, row, stored)
        self.store.put(model, number, row)

    def recompute(self, model: str, number: int, values: Mapping[str, Any]) -> None:
        """`update`, but only when something differs, so that write_date tells the truth."""
        old = self.row(model, number)
        if any(old.get(name) != each for name, each in values.items()):
            self.update(model, number, values)

    def unlink(self, model: str, ids: Iterable[int]) -> None:
        ids = self.checked(model, ids)
        behaviour = self.behaviour(model)
        if behaviour.deleting:
            behaviour.deleting(self, ids)
        rows = [self.row(model, number) for number in ids]
        for number in ids:
            self.store.put(model, number, None)
        if behaviour.deleted:
            behaviour.deleted(self, rows)

    # --- details

    def _split(self, model: str, values: Mapping[str, Any]) -> tuple[Row, list[tuple[str, Any]]]:
        """The coerced stored values, and the commands of one2many and many2many fields."""
        fields = self.model(model)
        row: Row = {}
        commands: list[tuple[str, Any]] = []
        for name, value in values.items():
            if name not in fields:
                raise WrongValue(f"Invalid field {name!r} in {model!r}")
            described = fields[name]
            if described.type in X2MANY:
                commands += [(name, each) for each in value or [[5]]]
            elif name not in LOG_FIELDS:
                precision = self.precision(described.digits)
                row[name] = coerced(model, name, described, value, precision)
        return row, commands

    def _check(self, model: str, row: Row, only: Iterable[str] | None = None) -> None:
        fields = self.models[model]
        for name in row if only is None else only:
            described = fields[name]
            target = row.get(name)
            relation = described.relation
            known = (
                described.type == "many2one" and relation in self.models and name not in LOG_FIELDS
            )
            if known and target and target not in self.store.rows(str(relation)):
                raise self._dangling(model, described, name)
        for name, described in fields.items():
            if described.required and described.stored and row.get(name, False) is False:
                raise ValidationError(
                    "The operation cannot be completed: Missing required value for the field"
                    f" '{described.label}' ({name}).\nModel: '{self.labels[model]}' ({model})\n"
                    "- create/update: a mandatory field is not set\n"
                    "- delete: another model requires the record being deleted, you can archive it"
                    " instead\n"
                )

    def _dangling(self, model: str, described: Field, name: str) -> ValidationError:
        return ValidationError(
            "The operation cannot be completed: Another model is using the record you are trying to"
            f" delete.\n\nThe troublemaker is: '{self.labels[model]}' ({model})\nThanks to the"
            f" following constraint: '{described.label}' ({name})\n"
            "How about archiving the record instead?"
        )

    def _written_through(self, model: str, number: int, row: Row) -> None:
        """Values of related fields belong to the record behind the many2one."""
        behind: dict[tuple[str, int], Row] = defaultdict(dict)
        for name, value in row.items():
            described = self.models[model][name]
            if described.related:
                link, target = described.related
                through = str(self.models[model][link].relation)
                behind[through, self.value(model, number, link)][target] = value
        for (through, linked), values in behind.items():
            self.write(through, [linked], values)

    def _command(self, model: str, number: int, name: str, command: Any) -> None:
        described = self.models[model][name]
        if isinstance(command, int):
            command = [4, command]
        code, target, payload = [*command, 0, 0][:3]
        if described.inverse:
            self._one2many(str(described.relation), described.inverse, number, command)
            return
        if described.related:
            link, name = described.related
            model, number = str(self.models[model][link].relation), self.value(model, number, link)
        old: list[int] = list(self.value(model, number, name))
        match code:
            case 0:
                new = [*old, *self.create(str(described.relation), [payload])]
            case 2 | 3:
                new = [each for each in old if each != target]
            case 4:
                new = old if target in old else [*old, target]
            case 5:
                new = []
            case 6:
                new = list(payload)
            case _:
                self.write(str(described.relation), [target], payload)
                new = old
        self.update(model, number, {name: new})

    def _one2many(self, model: str, inverse: str, number: int, command: Any) -> None:
        code, target, payload = [*command, 0, 0][:3]
        match code:
            case 0:
                self.create(model, [{**payload, inverse: number}])
            case 1:
                self.write(model, [target], payload)
            case 2 | 3:
                self.unlink(model, [target])
            case 5:
                self.unlink(model, self.referring(model, inverse, number))
