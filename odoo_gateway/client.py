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


@dataclass(frozen=True)
class OdooVersion:
    """`series` is e.g. "19.0"; `enterprise` as `server_version_info` tells."""

    series: str
    enterprise: bool


class OdooClient(Protocol):
    """Every method raises OdooTransientError or OdooRefusedError; nothing else escapes."""

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

    def create(self, model: str, values: Sequence[Mapping[str, Any]]) -> list[int]:
        """Creates all or none, quietly; ids in the order of `values`."""
        ...

    def write(self, model: str, ids: Sequence[int], values: Mapping[str, Any]) -> None: ...

    def call(self, model: str, method: str, ids: Sequence[int], **kwargs: Any) -> Any:
        """Any public method on the records `ids`."""
        ...

    def fields_get(self, model: str) -> dict[str, Record]:
        """`{field: {"type": …, "string": …, …}}`; OdooRefusedError on an unknown model."""
        ...
