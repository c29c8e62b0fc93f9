"""Reads JSON exports: one document, or one per line; says where in a file something is wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec


class AppBillingFileError(Exception):
    """A file that is no such export. One line that names the file and what it should be."""


@dataclass(frozen=True)
class Problem:
    """Something that was not loaded. `position`: line of the file, invoice, line of the invoice."""

    file: str
    position: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, {self.position}: {self.reason}"


@dataclass(frozen=True)
class Documents:
    """The JSON documents of one file, each with its position, and what could not be parsed."""

    found: list[tuple[str, msgspec.Raw]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def read_documents(path: Path, what: str) -> Documents:
    """A file holds one JSON document, or one per line (JSON lines).

    Broken lines and a file that is cut off are problems. Raises AppBillingFileError on a file that
    is missing, empty or not JSON at all; `what` names the export, e.g. "Lago export".
    """
    try:
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise AppBillingFileError(f"{path.name}: {error.strerror or error}") from None
    if not content.strip():
        raise AppBillingFileError(f"{path.name}: is empty, not a {what}")
    if content.lstrip()[:1] not in (b"{", b"["):
        raise AppBillingFileError(f"{path.name}: is not JSON, so not a {what}")
    lines = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    if len(lines) > 1 and _parses(lines[0][1]):
        return _json_lines(path, lines)
    try:
        return Documents(found=[("document", _checked(content))])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Documents(problems=[Problem(path.name, "whole file", f"broken JSON: {error}")])


def _json_lines(path: Path, lines: list[tuple[int, bytes]]) -> Documents:
    documents = Documents()
    for number, line in lines:
        try:
            documents.found.append((f"line {number}", _checked(line)))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            reason = f"broken JSON: {error}"
            documents.problems.append(Problem(path.name, f"line {number}", reason))
    return documents


def _parses(line: bytes) -> bool:
    try:
        _checked(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _checked(content: bytes) -> msgspec.Raw:
    """The text itself, kept byte for byte so that no number changes, after one full parse."""
    msgspec.json.decode(content)
    return msgspec.Raw(content)
