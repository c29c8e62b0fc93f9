"""An invoice or credit note of more lines than Stripe shows with it (ten): the pages of its lines,
GET /v1/invoices/{id}/lines, put together with it."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec

from ingest.app_billing.lines import CREDIT_NOTE, INVOICE
from ingest.app_billing.load import Found, Reading

LINE_PAGE = "page of lines"
_URL = re.compile(r"/v1/(?:invoices|credit_notes)/([^/?]+)/lines")


class _Identified(msgspec.Struct):
    id: str


class _Page(msgspec.Struct):
    url: str
    data: list[msgspec.Raw]
    has_more: bool = False


class _Lines(msgspec.Struct):
    data: list[msgspec.Raw]
    has_more: bool = False
    total_count: int | None = None


class _Holder(msgspec.Struct):
    id: str
    lines: _Lines


class _Pages(msgspec.Struct):
    lines: dict[str, msgspec.Raw]
    reach_the_end: bool = False


def gathered_pages(found: list[Found], reading: Reading) -> dict[str, _Pages]:
    """The lines of all pages by the invoice or credit note they belong to."""
    pages: dict[str, _Pages] = {}
    for each in found:
        if each.kind != LINE_PAGE:
            continue
        try:
            page = msgspec.json.decode(each.content, type=_Page)
            lines = {msgspec.json.decode(line, type=_Identified).id: line for line in page.data}
        except ValueError as error:
            reading.problems.append(each.position.problem(str(error)))
            continue
        url = _URL.search(page.url)
        if url is None:
            reading.problems.append(each.position.problem(f"{page.url} is no invoice's lines"))
            continue
        gathered = pages.setdefault(url[1], _Pages({}))
        gathered.lines.update(lines)
        gathered.reach_the_end |= not page.has_more
    return pages


def with_pages(found: Found, pages: dict[str, _Pages]) -> Found:
    """The same document with all of its lines, in the order of their ids, where the pages hold
    them; unchanged where it has them already or a page is missing."""
    if found.kind not in (INVOICE, CREDIT_NOTE) or not pages:
        return found
    try:
        holder = msgspec.json.decode(found.content, type=_Holder)
        lines = {msgspec.json.decode(line, type=_Identified).id: line for line in holder.lines.data}
    except ValueError:
        return found  # its reader says what is wrong
    gathered = pages.get(holder.id)
    if not holder.lines.has_more or gathered is None or not gathered.reach_the_end:
        return found
    lines = gathered.lines | lines
    if holder.lines.total_count not in (None, len(lines)):
        return found
    whole = msgspec.json.decode(found.content, type=dict[str, msgspec.Raw])
    shown = msgspec.json.decode(whole["lines"], type=dict[str, msgspec.Raw])
    shown["data"] = msgspec.Raw(msgspec.json.encode([lines[name] for name in sorted(lines)]))
    shown["has_more"] = msgspec.Raw(b"false")
    whole["lines"] = msgspec.Raw(msgspec.json.encode(shown))
    return replace(found, content=msgspec.Raw(msgspec.json.encode(whole)))
