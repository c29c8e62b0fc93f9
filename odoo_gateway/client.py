"""The one small protocol through which ingest and exports speak to Odoo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

Domain = Sequence[Any]
Record = dict[str, Any]

# Silences mail threads, tracking and the "line added" note for every line that is pushed.
QUIET = {
    "tracking_disable": True,
    "mail_notrack": True,
    "mail_create_nolog": True,
    "sale_no_log_for_new_lines": True,
}


# Archived records are records.
EVERYTHING = {"active_test": False}
DESCRIBED = ("type", "string", "relation", "store", "digits", "min_display_digits")


@dataclass(frozen=True)
class OdooVersion:
    """`series` is e.g. "19.0"; `enterprise` as `server_version_info` tells."""

    series: str
    enterprise: bool


class OdooClient(Protocol):
    """Every method raises OdooTransientError or OdooRefusedError; nothing else escapes.

    Reads (version, search_read, search_count, fields_get) are repeated a few times while Odoo is
    away in passing; create, write and call are sent once.
    """

    @property
    def timeout(self) -> float:
        """Seconds that a call may keep silent; may be set between calls."""
        ...

    @timeout.setter
    def timeout(self, seconds: float) -> None: ...

    def version(self) -> OdooVersion: ...

    def search_read(
        self,
        model: str,
        domain: Domain,
        fields: Sequence[str],
        *,
        order: str = "id",
        limit: int | None = None,
    ) -> list[Record]:
        """Records as Odoo's JSON gives them; many2one as a bare id (`load=False`), unset as False.
        Archived records are included (`active_test=False`)."""
        ...

    def search_count(self, model: str, domain: Domain) -> int:
        """How many records, archived ones included."""
        ...

    def create(
        self,
        model: str,
        values: Sequence[Mapping[str, Any]],
        *,
        context: Mapping[str, Any] | None = None,
    ) -> list[int]:
        """Creates all or none, quietly; ids in the order of `values`. `context` goes over QUIET."""
        ...

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any]) -> None:
        """Writes quietly the same values to all of `ids`."""
        ...

    def call(self, model: str, method: str, ids: Sequence[int], **kwargs: Any) -> Any:
        """Any public method on the records `ids`, its arguments by their names in Odoo; `context`
        is one of them, and QUIET only if it says so. Not for a model's own methods, such as
        `load`: the transports disagree on them."""
        ...

    def fields_get(self, model: str) -> dict[str, Record]:
        """`{field: {"type": …, "string": …, …}}`; OdooRefusedError on an unknown model."""
        ...
