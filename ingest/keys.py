"""Source apps and their bearer keys. A key is shown once and kept as its SHA-256."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from warehouse.services import require_service
from warehouse.tables import api_key, service

SERVICE_CODE = re.compile(r"[a-z][a-z0-9_]{1,30}", re.ASCII)
_HINT_LENGTH = 4


class KeyStoreError(Exception):
    """A service or key cannot be made or changed. The message is one line that says why."""


class BadServiceCodeError(KeyStoreError):
    """The code is not a short lower-case name."""


class ServiceExistsError(KeyStoreError):
    """The code is taken."""


class UnknownKeyError(KeyStoreError):
    """No key has this id."""


class BadExpiryError(KeyStoreError):
    """The expiry has no time zone or has passed, or the overlap is negative."""


@dataclass(frozen=True)
class Service:
    """A source app."""

    code: str
    name: str
    created_at: datetime


@dataclass(frozen=True)
class Key:
    """What may be told about a key; `hint` is its last four characters."""

    key_id: int
    service_code: str
    hint: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def sha256_of(key: str) -> bytes:
    """What is stored of a key: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def add_service(engine: Engine, code: str, name: str) -> Service:
    """Records a source app. Raises BadServiceCodeError, ServiceExistsError."""
    with engine.begin() as connection:
        return insert_service(connection, code, name)


def insert_service(connection: Connection, code: str, name: str) -> Service:
    """The same in the caller's transaction, which an error ends."""
    if not SERVICE_CODE.fullmatch(code):
        raise BadServiceCodeError(
            f"{code!r} is no service code: 2 to 31 of a-z, 0-9 and _, a letter first."
        )
    insert = sa.insert(service).values(service_code=code, name=name)
    try:
        row = connection.execute(insert.returning(service.c.created_at)).one()
    except sa.exc.IntegrityError:
        raise ServiceExistsError(f"The service {code} exists already.") from None
    return Service(code, name, row.created_at)


def list_services(engine: Engine) -> list[Service]:
    """All source apps, by code."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(service).order_by(service.c.service_code))
        return [Service(row.service_code, row.name, row.created_at) for row in rows]


def create_key(engine: Engine, service_code: str, *, expires_at: datetime | None = None) -> str:
    """A new key of the service: the only time it can be read.

    Raises UnknownServiceError, BadExpiryError.
    """
    if expires_at is not None:
        if expires_at.tzinfo is None:
            raise BadExpiryError("An expiry needs a time zone, as in 2027-01-31T00:00:00-05:00.")
        if expires_at <= datetime.now(UTC):
            raise BadExpiryError(f"The expiry {expires_at.isoformat()} has passed already.")
    with engine.begin() as connection:
        require_service(connection, service_code)
        return _insert_key(connection, service_code, expires_at)


def revoke_key(engine: Engine, key_id: int) -> None:
    """Ends a key; endpoints refuse it within five seconds. Raises UnknownKeyError."""
    update = (
        sa.update(api_key)
        .where(api_key.c.key_id == key_id)
        .values(revoked_at=sa.func.coalesce(api_key.c.revoked_at, sa.func.clock_timestamp()))
    )
    with engine.begin() as connection:
        if connection.execute(update).rowcount == 0:
            raise UnknownKeyError(f"There is no key {key_id}. `fusion-billing key list` shows all.")


def list_keys(engine: Engine) -> list[Key]:
    """All keys ever made, without their secrets, in the order they were made."""
    columns = [column for column in api_key.c if column.name != "sha256"]
    with engine.connect() as connection:
        rows = connection.execute(sa.select(*columns).order_by(api_key.c.key_id))
        return [Key(**row._mapping) for row in rows]


def rotate_key(engine: Engine, service_code: str, *, overlap: timedelta) -> str:
    """A new key; the service's other keys end after `overlap`, or earlier where they would have.

    Raises UnknownServiceError, BadExpiryError.
    """
    if overlap < timedelta(0):
        raise BadExpiryError("The overlap of a rotation cannot be negative.")
    with engine.begin() as connection:
        require_service(connection, service_code)
        end = sa.func.clock_timestamp() + sa.cast(overlap, sa.Interval)
        connection.execute(
            sa.update(api_key)
            .where(api_key.c.service_code == service_code, api_key.c.revoked_at.is_(None))
            .values(expires_at=sa.func.least(api_key.c.expires_at, end))
        )
        return _insert_key(connection, service_code, None)


def _insert_key(connection: Connection, service_code: str, expires_at: datetime | None) -> str:
    key = f"fb_{service_code}_{secrets.token_urlsafe(32)}"
    connection.execute(
        sa.insert(api_key).values(
            service_code=service_code,
            sha256=sha256_of(key),
            hint=key[-_HINT_LENGTH:],
            expires_at=expires_at,
        )
    )
    return key
