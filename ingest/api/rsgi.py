"""What Granian hands over for a request, as far as it is used here: RSGI 1.6."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Protocol, TypeAlias

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # what a broken body raises

__all__ = ["Exchange", "HeaderPairs", "Headers", "ProtocolClosed", "Scope", "value_of"]

HeaderPairs: TypeAlias = Sequence[tuple[str, str]]


class Headers(Protocol):
    """The request's headers; names are lower-case. A value that is not ASCII is not shown."""

    def __contains__(self, name: str) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def items(self) -> list[tuple[str, str]]: ...
    def get(self, name: str, default: str = ...) -> str | None: ...


class Scope(Protocol):
    """The request without its body. `path` is decoded."""

    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None
    headers: Headers


class Exchange(Protocol):
    """RSGI's protocol: the body, whole or in pieces, and one answer."""

    async def __call__(self) -> bytes: ...
    def __aiter__(self) -> AsyncIterator[bytes]: ...
    async def client_disconnect(self) -> None: ...
    def response_bytes(self, status: int, headers: HeaderPairs, body: bytes) -> None: ...


def value_of(headers: Headers, name: str) -> str:
    """A header's value; empty where it was not sent, `?` where it is not ASCII."""
    value = headers.get(name)
    if value is None:
        return "?" if name in headers else ""
    return value
