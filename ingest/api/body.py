"""What a request's headers say of its body, judged before the body is read."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from ingest.api.problems import ProblemError


def json_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """A guard. Raises ProblemError 415 for what is no JSON in UTF-8; no type counts as JSON."""
    content_type = connection.headers.get("content-type", "application/json").lower()
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    charset = [
        part.partition("=")[2].strip('"') for part in parameters if part.startswith("charset=")
    ]
    encoding = connection.headers.get("content-encoding", "identity").lower()
    is_json = media_type == "application/json" or (
        media_type.startswith("application/") and media_type.endswith("+json")
    )
    if not is_json or charset not in ([], ["utf-8"], ["utf8"]) or encoding != "identity":
        raise ProblemError(415)
