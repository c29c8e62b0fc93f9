"""The writing half of the double's ORM: create, write, delete, with hooks for what models do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sandbox.odoo import threads
from sandbox.odoo.errors import ValidationError, WrongValue
from sandbox.odoo.fields import X2MANY, Field, Row, coerced
from sandbox.odoo.records import LOG_FIELDS, USER, Behaviour, Records

__all__ = ["LOG_FIELDS", "USER", "Behaviour", "Environment"]


class Environment(Records):
    """One call's view of the store, with the means to change it. Changes belong in a transaction
    of the store."""

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
            threads.created(self, model, number)
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
            old = self.row(model, number)
            self.update(model, number, row)
            threads.changed(self, model, old, row)
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
        self._let_go(model, ids)
        rows = [self.row(model, number) for number in ids]
        for number in ids:
            self.store.put(model, number, None)
        if behaviour.deleted:
            behaviour.deleted(self, rows)

    def _let_go(self, model: str, ids: Sequence[int]) -> None:
        """What many2manys, and many2ones that say so, do when their record goes. Where they are
        emptied it is PostgreSQL that does it: write_date does not move."""
        for other, fields in list(self.models.items()):
            for name, described in fields.items():
                if described.relation != model or not described.stored:
                    continue
                if described.type == "many2many":
                    self._forget(other, name, set(ids))
                if described.on_delete is None:
                    continue
                referring = [each for number in ids for each in self.referring(other, name, number)]
                if not referring:
                    continue
                match described.on_delete:
                    case "cascade":
                        self.unlink(other, referring)
                    case "restrict":
                        raise self._dangling(other, described, name)
                    case _:
                        for each in referring:
                            self.store.put(other, each, {**self.row(other, each), name: False})

    def _forget(self, model: str, name: str, gone: set[int]) -> None:
        for number in {each for target in gone for each in self.referring(model, name, target)}:
            row = self.row(model, number)
            left = [each for each in row[name] if each not in gone]
            self.store.put(model, number, {**row, name: left})

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
            case 4:
                self.write(model, [target], {inverse: number})
            case 5:
                self.unlink(model, self.referring(model, inverse, number))
            case 6:
                gone = set(self.referring(model, inverse, number)) - set(payload)
                self.unlink(model, sorted(gone))
                self.write(model, payload, {inverse: number})
