"""GET /health: whether a write would go through now."""

from __future__ import annotations

import asyncio
import time
from importlib.metadata import PackageNotFoundError, version

from litestar import Response, get
from litestar.openapi.datastructures import ResponseSpec

from ingest.api.database import Database, RefusedError, UnavailableError, write_probe
from ingest.api.payloads import Health

_REMEMBERED_SECONDS = 0.5


def code_version() -> str:
    """The installed distribution's version; `0+source` where it runs from a bare checkout."""
    try:
        return version("fusion-billing")
    except PackageNotFoundError:
        return "0+source"


class Probe:
    """The database's state, asked at most twice a second: the route is open to all."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asked = float("-inf")
        self._writable = False
        self._turn = asyncio.Lock()

    async def writable(self) -> bool:
        """True where a write of counters would go through."""
        async with self._turn:
            if time.monotonic() - self._asked > _REMEMBERED_SECONDS:
                try:
                    await self._database.run(write_probe)
                    self._writable = True
                except (UnavailableError, RefusedError):
                    self._writable = False
                self._asked = time.monotonic()
            return self._writable


@get(
    "/health",
    responses={503: ResponseSpec(Health, description="A write would fail.")},
    security=[{}],
    summary="Health",
    opt={"exclude_from_auth": True},
)
async def get_health(probe: Probe) -> Response[Health]:
    """200 when a write would go through, 503 when not. Needs no key."""
    ok = await probe.writable()
    state = "ok" if ok else "unavailable"
    return Response(
        Health(state, code_version(), state),
        status_code=200 if ok else 503,
        headers={} if ok else {"Retry-After": "1"},
    )
