"""The head of an HTTP/1.1 answer, as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import TypeAlias

Fields: TypeAlias = Sequence[tuple[str, str]]

BODILESS = (204, 304)
_LINE = b"HTTP/1.1 %d %s\r\n"
_LINES = {s.value: _LINE % (s.value, s.phrase.encode()) for s in HTTPStatus if s.value >= 200}
_LINES[422] = _LINE % (422, b"Unprocessable Entity")  # as Lago words it


def head_of(
    defaults: Sequence[tuple[bytes, bytes]], status: int, fields: Fields, length: int, last: bool
) -> bytes:
    """Status line and headers. `defaults`: the date, as uvicorn keeps it; `length`: of the body;
    `last`: whether the connection ends after it."""
    text = "".join([f"{name}: {value}\r\n" for name, value in fields])
    if status not in BODILESS:
        text += f"content-length: {length}\r\n"
    if last:
        text += "connection: close\r\n"
    parts = [_LINES[status], text.encode("latin-1")]
    for name, value in defaults:
        parts += (name, b": ", value, b"\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)
