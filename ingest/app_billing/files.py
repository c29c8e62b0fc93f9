"""Reads JSON exports: one document, one per line, or one after the other; says where in a file
something is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from json import JSONDecodeError, JSONDecoder
from pathlib import Path

import msgspec

_BROKEN = (msgspec.DecodeError, RecursionError)


class AppBillingFileError(Exception):
    """A file that is no such export. One line that names the file and what it should be."""


@dataclass(frozen=True)
class Problem:
    """What was not loaded, or does not foot. `position`: line of the file, document, line of it."""

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


WHOLE = "document"  # the position of a document that is the whole file


def read_documents(path: Path, what: str) -> Documents:
    """A file holds one JSON document, one per line (JSON lines), or one after the other, as a shell
    loop over API calls leaves them.

    Broken lines and a file that is cut off are problems; what stands before them is read. Raises
    AppBillingFileError on a file that is missing, empty or not JSON at all; `what` names the
    export, e.g. "Lago export".
    """
    try:
        content = path.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise AppBillingFileError(f"{path.name}: {error.strerror or error}") from None
    if not content.strip():
        raise AppBillingFileError(f"{path.name}: is empty, not a {what}")
    if content.lstrip()[:1] not in (b"{", b"["):
        raise AppBillingFileError(f"{path.name}: is not JSON, so not a {what}")
    documents = Documents()
    try:
        documents.found.append((WHOLE, _parsed(content)))
        return documents
    except _BROKEN as error:
        reason = _reason(error, content)
    lines = [(number, line) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    if len(lines) > 1 and _parses(lines[0][1]):
        _read_lines(path, lines, documents)
    elif not _read_one_after_the_other(path, content, documents):
        documents.problems.append(Problem(path.name, "whole file", reason))
    return documents


def _read_lines(path: Path, lines: list[tuple[int, bytes]], documents: Documents) -> None:
    for number, line in lines:
        for where, part in _parts(f"line {number}", line):
            try:
                documents.found.append((where, _parsed(part)))
            except _BROKEN as error:
                documents.problems.append(Problem(path.name, where, _reason(error, part)))


def _parts(where: str, line: bytes) -> list[tuple[str, bytes]]:
    """A line of several documents is taken apart; any other stays whole."""
    values = list(_values(line)) if line.count(b"}{") and not _parses(line) else []
    if len(values) < 2 or not values[-1][1]:
        return [(where, line)]
    return [(f"{where}, document {n}", part) for n, (_, part) in enumerate(values, 1)]


def _read_one_after_the_other(path: Path, content: bytes, documents: Documents) -> bool:
    """Whether the file begins with whole documents; they are read up to the first broken one."""
    for number, (line, value) in enumerate(_values(content), start=1):
        where = f"document {number} (line {line})"
        try:
            documents.found.append((where, _parsed(value)))
        except _BROKEN as error:
            if number == 1:
                return False
            reason = _reason(error, value) if value else "broken JSON: from here on nothing is read"
            documents.problems.append(Problem(path.name, where, reason))
    return bool(documents.found)


def _values(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Each JSON value with the line it begins on; an empty one where the text goes on broken."""
    text = content.decode(errors="surrogateescape")
    decoder = JSONDecoder(parse_int=str, parse_float=str)
    position, line = 0, 1
    while (start := _next(text, position)) < len(text):
        line += text.count("\n", position, start)
        try:
            _, position = decoder.raw_decode(text, start)
        except (JSONDecodeError, RecursionError):
            yield line, b""
            return
        yield line, text[start:position].encode(errors="surrogateescape")
        line += text.count("\n", start, position)


def _next(text: str, position: int) -> int:
    found = re.compile(r"\S").search(text, position)
    return found.start() if found else len(text)


def _parses(line: bytes) -> bool:
    try:
        _parsed(line)
    except _BROKEN:
        return False
    return True


def _parsed(content: bytes) -> msgspec.Raw:
    """The text itself, kept byte for byte so that no number changes, after its syntax was checked.
    What single numbers and strings are worth is judged document by document."""
    msgspec.json.decode(content, type=msgspec.Raw)
    return msgspec.Raw(content)


def _reason(error: Exception, content: bytes) -> str:
    if isinstance(error, RecursionError):
        return "broken JSON: it is nested too deeply"
    byte = re.search(r"\(byte (\d+)\)", str(error))
    if byte is None or b"\n" not in content.strip():
        return f"broken JSON: {error}"
    line = content.count(b"\n", 0, int(byte[1])) + 1
    return f"broken JSON on line {line}: {error}"
