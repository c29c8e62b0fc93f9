"""One attempt: a POST to a receiver that may be away, slow, lying or hostile.

The name is resolved here, the addresses judged, and one of those very addresses is connected to:
a name server that answers differently the second time is not asked a second time. TLS still
verifies the name. No proxy, no redirect, no cookie; of the answer the status is what counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import httpx

from warehouse.webhooks import (
    Target,
    TargetPolicy,
    TargetRefusedError,
    parse_target,
    require_allowed,
)

TIMEOUT_SECONDS = 15.0  # name server, connection, TLS, request and status together
_CONNECT_SECONDS = 5.0  # to one of several addresses
_COURTESY_SECONDS = 2.0
MOST_ANSWER_BYTES = 64 * 1024
_MOST_ADDRESSES = 4

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]


class Outcome(NamedTuple):
    """`status` where there was an answer; `error` is None where the webhook was heard."""

    status: int | None
    error: str | None


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, each once. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class Sender(NamedTuple):
    """What all attempts of a run share."""

    policy: TargetPolicy
    tls: ssl.SSLContext
    timeout_seconds: float = TIMEOUT_SECONDS
    resolve: Resolve = resolve

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """Heard where the answer is a 2xx, whatever its body says; bounded in time and bytes."""
        deadline = asyncio.get_running_loop().time() + self.timeout_seconds
        try:
            return await self._attempt(url, body, headers, deadline)
        except TimeoutError:
            return Outcome(None, f"no answer within {self.timeout_seconds:g} s")
        except TargetRefusedError as error:
            return Outcome(None, f"target refused: {error}")
        except OSError as error:
            return Outcome(None, f"name not resolved: {error.strerror or error}")
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return Outcome(None, _told(error))

    async def _attempt(
        self, url: str, body: bytes, headers: Mapping[str, str], deadline: float
    ) -> Outcome:
        target = parse_target(url, self.policy)
        async with asyncio.timeout_at(deadline):
            addresses = await self.resolve(target.host, target.port)
        require_allowed(addresses, self.policy)
        outcome = Outcome(None, "the name has no address")
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                status = await self._post(url, target, address, body, headers, deadline)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                outcome = Outcome(None, _told(error))
            else:
                return Outcome(status, None if 200 <= status < 300 else f"answered {status}")
        return outcome

    async def _post(
        self,
        url: str,
        target: Target,
        address: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline: float,
    ) -> int:
        named = httpx.URL(url)
        timeout = httpx.Timeout(self.timeout_seconds, connect=_CONNECT_SECONDS)
        client = httpx.AsyncClient(verify=self.tls, timeout=timeout, trust_env=False)
        request = client.build_request(
            "POST",
            named.copy_with(host=address),
            content=body,
            headers={"Host": named.netloc.decode(), **headers},
            extensions={"sni_hostname": target.host.rstrip(".")},
        )
        try:
            async with asyncio.timeout_at(deadline):
                response = await client.send(request, stream=True, follow_redirects=False)
            await _drain(response)
            return response.status_code
        finally:
            await _bounded(client.aclose())


async def _drain(response: httpx.Response) -> None:
    """Reads a little of the body, so that an honest receiver sees no reset. It decides nothing."""

    async def read() -> None:
        received = 0
        async for part in response.aiter_raw():
            received += len(part)
            if received >= MOST_ANSWER_BYTES:
                return

    await _bounded(read())


async def _bounded(work: Awaitable[None]) -> None:
    """Courtesy: what fails or takes long in it changes nothing."""
    with contextlib.suppress(httpx.HTTPError, OSError, ssl.SSLError):
        async with asyncio.timeout(_COURTESY_SECONDS):
            await work


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")[:300]
