"""Whether Lago's lists are all there.

Lago numbers the pages of a list: a page says its own number and the next one's, but not the request
that it answers. So pages are counted, per kind over all files: each that names a next one needs one
of that number for itself, and September's pages do not speak for October's. The names of the files
only decide which of several is told: a page goes on in the next by name, where 10 comes after 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from ingest.app_billing.files import Problem
from ingest.app_billing.load import Found

_NUMBER = re.compile(r"\d+")


class ListMeta(msgspec.Struct, frozen=True):
    """Lago's pagination, of PaginationMeta; `next_page` is null on the last page."""

    current_page: int | None = None
    next_page: int | None = None


class _Listed(msgspec.Struct):
    meta: ListMeta | None = None


def lists_that_go_on(lists: list[Found]) -> Iterator[Problem]:
    """The pages after which a list breaks off: invoices that nobody imports would read as "missing
    in the app"."""
    for kind in dict.fromkeys(each.kind for each in lists):
        # A copy of a page neither needs another next one nor is one.
        pages = {bytes(each.content): each for each in lists if each.kind == kind}
        for page, missing in _without_the_next(sorted(pages.values(), key=_in_order)):
            reason = f"the list has more pages than these: ask for page {missing} (docs/imports.md)"
            yield page.position.problem(reason)


def _in_order(page: Found) -> tuple[str, list[int]]:
    name = page.position.file
    return _NUMBER.sub("#", name), [int(each) for each in _NUMBER.findall(name)]


def _without_the_next(pages: list[Found]) -> Iterator[tuple[Found, int]]:
    metas = [_meta(page) for page in pages]
    followed, taken = set[int](), set[int]()
    for number, (meta, after) in enumerate(pairwise(metas)):
        if meta.next_page is not None and meta.next_page == after.current_page:
            followed.add(number)
            taken.add(number + 1)
    spare = [meta.current_page for number, meta in enumerate(metas) if number not in taken]
    for number, (page, meta) in enumerate(zip(pages, metas, strict=True)):
        if meta.next_page is None or number in followed:
            continue
        if meta.next_page in spare:
            spare.remove(meta.next_page)
        else:
            yield page, meta.next_page


def _meta(page: Found) -> ListMeta:
    return msgspec.json.decode(page.content, type=_Listed).meta or ListMeta()
