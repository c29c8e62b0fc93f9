"""Services and keys in the warehouse."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ingest import keys
from warehouse.services import UnknownServiceError
from warehouse.tables import api_key


def test_services_are_listed_by_code(engine: Engine) -> None:
    keys.add_service(engine, "nexamaps", "NexaMaps")
    keys.add_service(engine, "nexacloud", "NexaCloud")
    listed = keys.list_services(engine)
    assert [(s.code, s.name) for s in listed] == [
        ("nexacloud", "NexaCloud"),
        ("nexamaps", "NexaMaps"),
    ]
    with pytest.raises(keys.ServiceExistsError, match="nexamaps exists already"):
        keys.add_service(engine, "nexamaps", "Again")


@pytest.mark.parametrize("code", ["", "a", "Nexa", "1nexa", "nexa-desk", "n" * 32, "né", "nexa\n"])
def test_a_bad_service_code_is_refused(engine: Engine, code: str) -> None:
    with pytest.raises(keys.BadServiceCodeError, match="is no service code"):
        keys.add_service(engine, code, "Name")


def test_a_key_is_stored_as_its_hash_alone(engine: Engine) -> None:
    keys.add_service(engine, "nexadesk", "NexaDesk")
    one, two = keys.create_key(engine, "nexadesk"), keys.create_key(engine, "nexadesk")
    assert one != two
    for key in (one, two):
        assert key.startswith("fb_nexadesk_")
        assert len(key.removeprefix("fb_nexadesk_")) == 43  # 256 bits in base64
    with engine.connect() as connection:
        stored = connection.execute(sa.select(api_key)).all()
    assert {row.sha256 for row in stored} == {
        hashlib.sha256(k.encode()).digest() for k in (one, two)
    }
    assert one.removeprefix("fb_nexadesk_") not in repr(stored)
    listed = keys.list_keys(engine)
    assert [(key.service_code, key.hint) for key in listed] == [
        ("nexadesk", one[-4:]),
        ("nexadesk", two[-4:]),
    ]


def test_keys_need_a_service_and_a_future(engine: Engine) -> None:
    with pytest.raises(UnknownServiceError, match="There is no service 'nobody'"):
        keys.create_key(engine, "nobody")
    with pytest.raises(UnknownServiceError):
        keys.rotate_key(engine, "nobody", overlap=timedelta(days=1))
    keys.add_service(engine, "fleeting", "Fleeting")
    with pytest.raises(keys.BadExpiryError, match="has passed"):
        keys.create_key(engine, "fleeting", expires_at=datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(keys.BadExpiryError, match="needs a time zone"):
        keys.create_key(engine, "fleeting", expires_at=datetime(2999, 1, 1))
    with pytest.raises(keys.BadExpiryError, match="cannot be negative"):
        keys.rotate_key(engine, "fleeting", overlap=timedelta(days=-1))


def keys_of(engine: Engine, service_code: str) -> list[keys.Key]:
    return [key for key in keys.list_keys(engine) if key.service_code == service_code]


def test_revoking_is_once_and_for_all(engine: Engine) -> None:
    keys.add_service(engine, "leaver", "Leaver")
    keys.create_key(engine, "leaver")
    (key,) = keys_of(engine, "leaver")
    assert key.revoked_at is None
    keys.revoke_key(engine, key.key_id)
    (revoked,) = keys_of(engine, "leaver")
    assert revoked.revoked_at is not None
    keys.revoke_key(engine, key.key_id)
    assert keys_of(engine, "leaver") == [revoked]
    with pytest.raises(keys.UnknownKeyError, match="There is no key 0"):
        keys.revoke_key(engine, 0)


def test_rotation_shortens_and_never_lengthens(engine: Engine) -> None:
    keys.add_service(engine, "turner", "Turner")
    soon = datetime.now(UTC) + timedelta(minutes=5)
    keys.create_key(engine, "turner", expires_at=soon)
    keys.create_key(engine, "turner")
    keys.rotate_key(engine, "turner", overlap=timedelta(hours=2))
    first, second, new = keys_of(engine, "turner")
    assert first.expires_at == soon
    assert second.expires_at is not None
    assert (
        timedelta(hours=1, minutes=59) < second.expires_at - datetime.now(UTC) <= timedelta(hours=2)
    )
    assert new.expires_at is None
