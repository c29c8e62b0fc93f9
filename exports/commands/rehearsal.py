"""A client that reads and does not write: what a pass would do first, without doing it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from odoo_gateway.client import Domain, OdooClient, OdooVersion, Record


class RehearsedError(Exception):
    """The first change that would be made. What follows depends on it, and is not told."""


@dataclass(frozen=True)
class Rehearsal:
    """Passes reads on; a change raises RehearsedError, which says what it would be."""

    inner: OdooClient

    @property
    def timeout(self) -> float:
        return self.inner.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self.inner.timeout = seconds

    def search_count(self, model: str, domain: Domain) -> int:
        return self.inner.search_count(model, domain)

    def version(self) -> OdooVersion:
        return self.inner.version()

    def search_read(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        *,
        order: str = "id",
        limit: int | None = None,
    ) -> list[Record]:
        return self.inner.search_read(model, domain, fields, order=order, limit=limit)

    def create(
        self,
        model: str,
        values: Sequence[Mapping[str, Any]],
        *,
        context: Mapping[str, Any] | None = None,
    ) -> NoReturn:
        shown = ", ".join(
            f"{name} {value}" for name, value in values[0].items() if isinstance(value, str | int)
        )
        raise RehearsedError(f"would make a {model}: {shown}")

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any]) -> NoReturn:
        shown = ", ".join(f"{name} {value}" for name, value in values.items())
        raise RehearsedError(f"would write {model} {ids[0]}: {shown}")

    def call(self, model: str, method: str, ids: Sequence[int], **kwargs: Any) -> NoReturn:
        raise RehearsedError(f"would call {method} of {model} {ids[0]}")

    def fields_get(self, model: str) -> dict[str, Record]:
        return self.inner.fields_get(model)
