"""A request's body: what its headers say of it, and reading it within bounds."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from ingest.api.problems import ProblemError, bad_request
from ingest.api.request import Request

HUNG_UP = 0  # as a status in the log and in the counts


def require_json(content_type: str, encoding: str) -> None:
    """Raises ProblemError 415 for what is no JSON in UTF-8; no type counts as JSON."""
    if content_type in ("", "application/json") and encoding in ("", "identity"):
        return
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    charset = [
        part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")
    ]
    is_json = media_type in ("", "application/json") or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    plain = encoding.lower() in ("", "identity")
    if not is_json or charset not in ([], ["utf-8"], ["utf8"]) or not plain:
        raise ProblemError(415)


async def json_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard: `require_json` on the connection's headers. (A plain function would cost a thread
    a request.)"""
    headers = connection.headers
    require_json(headers.get("content-type", ""), headers.get("content-encoding", ""))


def answer_broken_off(request: Request, request_id: str) -> None:
    """400: mostly nobody is there any more, but where the body was no HTTP, somebody is."""
    problem = bad_request("the body is not complete").body
    fields = [("content-type", "application/json"), ("x-request-id", request_id)]
    request.respond(problem.status, fields, msgspec.json.encode(problem))


async def read_body(request: Request, most: int) -> bytes:
    """The whole body. Raises ProblemError 413 above `most` bytes, without reading where the header
    says so, and what `Request.read` raises.
    """
    if request.announced is not None and request.announced > most:
        raise ProblemError(413)
    if request.ended:
        return request.whole()
    parts: list[bytes] = []
    size = 0
    while part := await request.read():
        size += len(part)
        if size > most:
            raise ProblemError(413)
        parts.append(part)
    return b"".join(parts)
