"""Which service a request speaks for: its bearer key, looked up by SHA-256."""

from __future__ import annotations

import hmac
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp

from ingest.api.database import Connection, Database
from ingest.api.limits import RateLimit
from ingest.api.observe import note
from ingest.api.problems import ProblemError
from ingest.keys import sha256_of

ServiceRequest: TypeAlias = Request[None, str, State]  # `auth` is the service's code

# A revoked key works this long at most, plus one look-up: within the five seconds promised.
REMEMBERED_SECONDS = 2.0
_MOST_REMEMBERED = 10_000
_LONGEST_KEY = 200

_LOOK_UP = """
select sha256, service_code, expires_at
from ops.api_key
where sha256 = $1
    and revoked_at is null
    and (expires_at is null or expires_at > clock_timestamp())
"""


class _Known(NamedTuple):
    service_code: str
    expires_at: datetime | None
    until: float


class Keys:
    """The keys seen lately, and the database for the others. Unknown keys are not remembered."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[bytes, _Known] = {}

    async def service_of(self, key: str) -> str | None:
        """The service of a valid key; None for any other. Raises UnavailableError."""
        return self.remembered(key) or await self._asked(key)

    def remembered(self, key: str) -> str | None:
        """The service of a key that was valid a moment ago; None where the database is to tell."""
        known = self._known.get(sha256_of(key))
        if known is None or known.until < time.monotonic():
            return None
        return None if _has_expired(known) else known.service_code

    async def _asked(self, key: str) -> str | None:
        if not key.startswith("fb_") or len(key) > _LONGEST_KEY:
            return None
        digest = sha256_of(key)
        known = await self._look_up(digest)
        if known is None or _has_expired(known):
            self._known.pop(digest, None)
            return None
        return known.service_code

    async def _look_up(self, digest: bytes) -> _Known | None:
        asked = time.monotonic()

        async def work(connection: Connection) -> _Known | None:
            row = await connection.fetchrow(_LOOK_UP, digest)
            if row is None or not hmac.compare_digest(row["sha256"], digest):
                return None
            return _Known(row["service_code"], row["expires_at"], asked + REMEMBERED_SECONDS)

        known = await self._database.run(work)
        if known is not None:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[digest] = known
        return known


def _has_expired(known: _Known) -> bool:
    return known.expires_at is not None and known.expires_at <= datetime.now(UTC)


async def authorize(
    keys: Keys, rate_limit: RateLimit | None, authorization: str, told: dict[str, str]
) -> str:
    """The service that a request's Authorization header speaks for. As Lago: any scheme word.

    Where a rate is set, its headers are put into `told`. Raises ProblemError 401, 429.
    """
    words = authorization.split()
    service_code = None
    if len(words) == 2:
        service_code = keys.remembered(words[1]) or await keys.service_of(words[1])
    if service_code is None:
        raise ProblemError(401)
    note(service=service_code)
    if rate_limit is not None:
        allowance = rate_limit.take(sha256_of(words[1]))
        told.update(allowance.headers())
        if allowance.retry_after:
            raise ProblemError(429, headers=told)
    return service_code


class BearerAuth(AbstractAuthenticationMiddleware):
    """Sets `request.auth` to the service's code, or answers 401 or 429."""

    def __init__(self, app: ASGIApp, keys: Keys, rate_limit: RateLimit | None) -> None:
        super().__init__(app)
        self._keys = keys
        self._rate_limit = rate_limit

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        header = connection.headers.get("authorization", "")
        service_code = await authorize(self._keys, self._rate_limit, header, {})
        return AuthenticationResult(user=None, auth=service_code)
