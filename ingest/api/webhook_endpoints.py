"""/webhook_endpoints: where a service hears of its customers' lifecycle, as in Lago."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
import socket
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import asyncpg
from litestar import delete, get, post, put
from litestar.params import Parameter

from ingest.api.auth import ServiceRequest
from ingest.api.body import json_only
from ingest.api.database import Connection, Database
from ingest.api.exact import iso_seconds
from ingest.api.problems import EXISTS, RESPONSES, ProblemError, invalid, not_found
from ingest.api.reading import page_meta, selection
from ingest.api.webhook_payloads import (
    OneReceiver,
    WebhookEndpoint,
    WebhookEndpointAnswer,
    WebhookEndpointRequest,
    WebhookEndpointsPage,
    judged,
    problem_of_url,
)
from warehouse.lago_ids import lago_id
from warehouse.locks import lock_number
from warehouse.webhooks import (
    MOST_ENDPOINTS,
    TargetPolicy,
    TargetRefusedError,
    parse_target,
    require_allowed,
)

_SECRET_BYTES = 32
_NAME_SERVER_SECONDS = 2.0
_COLUMNS = "endpoint_id, service_code, url, name, signature_algo, event_types, created_at"
_Count = Annotated[
    str | None,
    Parameter(required=False, description="A whole number from 1; per_page to 1000."),
]


class Receivers:
    """Which targets are allowed, asking a name server where a URL has a name.

    The threads are few and its own: a name server that hangs must not keep the endpoint from
    finding its database. A name that cannot be resolved in time is judged when it is sent to.
    """

    def __init__(self, policy: TargetPolicy) -> None:
        self.policy = policy
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="webhook-names")

    async def require_allowed(self, url: str) -> None:
        """Raises ProblemError 422 where the URL's name stands for an address inside."""
        if self.policy.allow_private:
            return
        target = parse_target(url, self.policy)
        addresses: Sequence[str] = ()
        with contextlib.suppress(TimeoutError, OSError, UnicodeError):
            async with asyncio.timeout(_NAME_SERVER_SECONDS):
                loop = asyncio.get_running_loop()
                addresses = await loop.run_in_executor(
                    self._threads, _addresses, target.host, target.port
                )
        try:
            require_allowed(addresses, self.policy)
        except TargetRefusedError as error:
            raise problem_of_url(str(error)) from None

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


@post(
    "/webhook_endpoints",
    status_code=200,
    dto=OneReceiver[WebhookEndpointRequest],
    return_dto=None,
    guards=[json_only],
    responses=RESPONSES,
    summary="Add a webhook endpoint",
)
async def post_webhook_endpoint(
    data: WebhookEndpointRequest, request: ServiceRequest, database: Database, receivers: Receivers
) -> WebhookEndpointAnswer:
    """At most ten a service, each URL once. The answer is the only one that tells the secret."""
    columns = judged(data, receivers.policy, new=True)
    await receivers.require_allowed(columns["url"])
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    values = {
        "endpoint_id": uuid.uuid4(),
        "service_code": request.auth,
        "secret": secret,
        "signature_algo": "hmac",
    } | columns

    async def work(connection: Connection) -> Any:
        async with connection.transaction():
            # Ten is ten, whoever else is adding one.
            lock = lock_number(f"webhook_endpoints {request.auth}")
            await connection.execute("select pg_advisory_xact_lock($1)", lock)
            rows = await connection.fetch(
                f"select {_COLUMNS} from ops.webhook_endpoint"  # noqa: S608
                " where service_code = $1",
                request.auth,
            )
            for row in rows:
                if row["endpoint_id"] == values["endpoint_id"]:
                    return row  # the commit was heard, its answer was not
            # Raised out there: within the work, a problem would cost the connection.
            if any(row["url"] == values["url"] for row in rows):
                return problem_of_url(EXISTS)
            if len(rows) >= MOST_ENDPOINTS:
                return invalid({"base": ["exceeded_limit"]})
            places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
            return await connection.fetchrow(
                f"insert into ops.webhook_endpoint ({', '.join(values)})"  # noqa: S608
                f" values ({places}) returning {_COLUMNS}",
                *values.values(),
            )

    endpoint = _endpoint(_found(await database.run(work)))
    endpoint.secret = secret
    return WebhookEndpointAnswer(endpoint)


@get("/webhook_endpoints", responses=RESPONSES, summary="List webhook endpoints")
async def get_webhook_endpoints(
    request: ServiceRequest, database: Database, page: _Count = None, per_page: _Count = None
) -> WebhookEndpointsPage:
    """The service's endpoints, the oldest first."""
    chosen = selection({"page": page, "per_page": per_page})

    async def work(connection: Connection) -> Any:
        return await connection.fetch(
            f"select {_COLUMNS} from ops.webhook_endpoint"  # noqa: S608
            " where service_code = $1 order by created_at, endpoint_id",
            request.auth,
        )

    rows = await database.run(work)
    first = (chosen.page - 1) * chosen.per_page
    return WebhookEndpointsPage(
        [_endpoint(row) for row in rows[first : first + chosen.per_page]],
        page_meta(len(rows), chosen.page, chosen.per_page),
    )


@get("/webhook_endpoints/{endpoint_id:str}", responses=RESPONSES, summary="Read one endpoint")
async def get_webhook_endpoint(
    endpoint_id: str, request: ServiceRequest, database: Database
) -> WebhookEndpointAnswer:
    """One endpoint of the service's; 404 `webhook_endpoint_not_found`."""
    return await _one(
        database,
        f"select {_COLUMNS} from ops.webhook_endpoint"  # noqa: S608
        " where endpoint_id = $1 and service_code = $2",
        endpoint_id,
        request.auth,
    )


@put(
    "/webhook_endpoints/{endpoint_id:str}",
    dto=OneReceiver[WebhookEndpointRequest],
    return_dto=None,
    guards=[json_only],
    responses=RESPONSES,
    summary="Change an endpoint",
)
async def put_webhook_endpoint(
    endpoint_id: str,
    data: WebhookEndpointRequest,
    request: ServiceRequest,
    database: Database,
    receivers: Receivers,
) -> WebhookEndpointAnswer:
    """What the body names is changed; the secret stays. Events under way go to the new URL."""
    columns = judged(data, receivers.policy, new=False)
    if "url" in columns:
        await receivers.require_allowed(columns["url"])
    changes = "".join(f"{name} = ${number}, " for number, name in enumerate(columns, 3))
    return await _one(
        database,
        f"update ops.webhook_endpoint set {changes}updated_at = clock_timestamp()"  # noqa: S608
        f" where endpoint_id = $1 and service_code = $2 returning {_COLUMNS}",
        endpoint_id,
        request.auth,
        *columns.values(),
    )


@delete(
    "/webhook_endpoints/{endpoint_id:str}",
    status_code=200,
    responses=RESPONSES,
    summary="Remove an endpoint",
)
async def delete_webhook_endpoint(
    endpoint_id: str, request: ServiceRequest, database: Database
) -> WebhookEndpointAnswer:
    """Removes it and all that was still to be sent to it."""
    return await _one(
        database,
        "delete from ops.webhook_endpoint"  # noqa: S608
        f" where endpoint_id = $1 and service_code = $2 returning {_COLUMNS}",
        endpoint_id,
        request.auth,
    )


async def _one(
    database: Database, statement: str, endpoint_id: str, service_code: str, *values: object
) -> WebhookEndpointAnswer:
    """The one row of the statement; 404 where there is none, 422 where another has the URL."""
    try:
        number = uuid.UUID(endpoint_id)
    except ValueError:
        raise not_found("webhook_endpoint") from None

    async def work(connection: Connection) -> Any:
        try:
            return await connection.fetchrow(statement, number, service_code, *values)
        except asyncpg.UniqueViolationError:
            return problem_of_url(EXISTS)

    row = _found(await database.run(work))
    if row is None:
        raise not_found("webhook_endpoint")
    return WebhookEndpointAnswer(_endpoint(row))


def _found(answer: Any) -> Any:
    """The work's answer, or the problem that it found, raised."""
    if isinstance(answer, ProblemError):
        raise answer
    return answer


def _endpoint(row: Any) -> WebhookEndpoint:
    return WebhookEndpoint(
        lago_id=str(row["endpoint_id"]),
        lago_organization_id=lago_id("organization", row["service_code"]),
        webhook_url=row["url"],
        created_at=iso_seconds(row["created_at"]),
        signature_algo=row["signature_algo"],
        name=row["name"],
        event_types=row["event_types"],
    )
