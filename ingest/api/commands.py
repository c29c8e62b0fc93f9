"""What apps ask of Odoo, recorded in raw.command: exactly once, in the order it came.

A repeat that means the same as the newest command about its customer or subscription is no new
command. A lock on the subject makes that hold for repeats at the same time, too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from ingest.api.database import Connection, Database
from ingest.api.exact import literal
from ingest.api.problems import EXISTS, INVALID, ProblemError, invalid, not_found
from ingest.api.properties import Properties, read_properties
from warehouse.locks import lock_number

_read = msgspec.json.Decoder(float_hook=literal).decode

CUSTOMER, SUBSCRIPTION, TERMINATION = "customer", "subscription", "termination"

_NEWEST = """
select kind, external_customer_id, payload, payload_hash
from raw.command
where service_code = $1 and kind = any($2) and external_id = $3
order by command_id desc
limit 1
"""

_INSERT = """
insert into raw.command
    (service_code, kind, external_customer_id, external_id, payload, payload_hash)
values ($1, $2, $3, $4, $5, $6)
"""

# A confirmed order in Odoo that no command speaks of: finance made it, or it was migrated.
_MIRRORED = """
select record ->> 'x_fc_external_account_id'
from raw.odoo_subscription
where
    record ->> 'x_fc_service_code' = $1
    and record ->> 'x_fc_external_id' = $2
    and record ->> 'state' = 'sale'
    and record ->> 'subscription_state' is distinct from '6_churn'
    and deleted_at is null
order by id desc
limit 1
"""


async def record_customer(database: Database, service_code: str, values: Mapping[str, Any]) -> None:
    """Records what is asked of a customer: what was asked before, with what was given now.

    Returns after the commit. Raises ProblemError 422, UnavailableError.
    """
    external_id = values["external_id"]

    async def work(connection: Connection) -> ProblemError | None:
        async with connection.transaction():
            newest = await _newest(connection, service_code, external_id, CUSTOMER)
            known: dict[str, Any] = {} if newest is None else _read(newest["payload"])
            payload = read_properties({**known, **values})
            if payload is None:
                return _too_large(CUSTOMER)
            await _insert(
                connection, newest, (service_code, CUSTOMER, external_id, external_id), payload
            )
            return None

    _raise(await database.run(work))


async def record_subscription(
    database: Database, service_code: str, values: Mapping[str, Any]
) -> None:
    """Records a subscription, or its change. Returns after the commit.

    422 `value_already_exist` where the id is another customer's subscription. As in Lago, a change
    of plan leaves the day on which the subscription began.
    """
    external_id, customer = values["external_id"], values["external_customer_id"]

    async def work(connection: Connection) -> ProblemError | None:
        async with connection.transaction():
            newest = await _newest(connection, service_code, external_id, SUBSCRIPTION, TERMINATION)
            wanted = dict(values)
            if newest is not None and newest["kind"] == SUBSCRIPTION:
                owner = newest["external_customer_id"]
                wanted = _continued(_read(newest["payload"]), values)
            else:
                owner = newest is None and await connection.fetchval(
                    _MIRRORED, service_code, external_id
                )
            if owner and owner != customer:
                return invalid({"external_id": [EXISTS]})
            payload = read_properties(wanted)
            if payload is None:
                return _too_large(SUBSCRIPTION)
            await _insert(
                connection, newest, (service_code, SUBSCRIPTION, customer, external_id), payload
            )
            return None

    _raise(await database.run(work))


def _continued(known: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of a subscription that was asked for before."""
    if known["plan_code"] == values["plan_code"]:
        return {**known, **values}
    rhythm = {name: known[name] for name in ("billing_time",) if name in known}
    anchor = {name: known[name] for name in ("subscription_at",) if name in known}
    return {**rhythm, **{k: v for k, v in values.items() if k != "subscription_at"}, **anchor}


async def record_termination(
    database: Database, service_code: str, external_id: str, values: Mapping[str, Any], zone: str
) -> None:
    """Records the end of a subscription, today. A repeat records nothing. Raises ProblemError 404
    `subscription_not_found`. `zone` is the company's, in which a bare date is a day."""
    if "\x00" in external_id:
        raise not_found("subscription")

    async def work(connection: Connection) -> ProblemError | None:
        async with connection.transaction():
            newest = await _newest(connection, service_code, external_id, SUBSCRIPTION, TERMINATION)
            if newest is None:
                customer = await connection.fetchval(_MIRRORED, service_code, external_id)
            elif newest["kind"] == TERMINATION:
                return None
            else:
                customer = newest["external_customer_id"]
            now = datetime.now(UTC)
            pending = newest is not None and not has_begun(_read(newest["payload"]), zone, now)
            if customer is None or (values.get("status") == "pending" and not pending):
                return not_found("subscription")
            payload = read_properties(dict(values))
            if payload is None:
                return _too_large(TERMINATION)
            await _insert(
                connection, None, (service_code, TERMINATION, customer, external_id), payload
            )
            return None

    _raise(await database.run(work))


def has_begun(payload: Mapping[str, Any], zone: str, now: datetime) -> bool:
    """Whether a subscription's first moment is past; one without begins when it is asked for."""
    begins = payload.get("subscription_at")
    if begins is None:
        return True
    moment = datetime.fromisoformat(begins)  # only a bare date comes without an offset
    return moment.replace(tzinfo=moment.tzinfo or ZoneInfo(zone)) <= now


async def _newest(
    connection: Connection, service_code: str, external_id: str, *kinds: str
) -> asyncpg.Record | None:
    """The newest command about a subject, which is locked until the transaction ends."""
    name = f"command:{service_code}:{kinds[0]}:{external_id}"
    await connection.execute("select pg_advisory_xact_lock($1)", lock_number(name))
    return await connection.fetchrow(_NEWEST, service_code, list(kinds), external_id)


async def _insert(
    connection: Connection,
    newest: asyncpg.Record | None,
    about: tuple[str, str, str, str],
    payload: Properties,
) -> None:
    """`about` is service, kind, customer and subject."""
    digest = hashlib.sha256(f"{about[1]}\0{about[2]}\0{payload.canonical}".encode()).digest()
    if newest is not None and newest["payload_hash"] == digest:
        return
    await connection.execute(_INSERT, *about, payload.json, digest)


def _too_large(root: str) -> ProblemError:
    """Each field is small enough, all together are not."""
    return invalid({root: [INVALID]})


def _raise(problem: ProblemError | None) -> None:
    """Raised out here: within the work, it would cost the connection."""
    if problem is not None:
        raise problem
