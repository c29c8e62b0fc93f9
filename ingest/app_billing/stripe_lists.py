"""Lists of Stripe that break off: a page says that another follows, and no file holds that one.

A page names neither the request that it answers nor the page before it. What belongs together is
therefore told by ids where two pages overlap, and else by the files: a list lies in one file, or
goes on in the file with the next number in its name, or, where names do not count, in any other.
Stripe lists what is newest first, so no page goes on with newer documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec

from ingest.app_billing.files import Problem
from ingest.app_billing.load import Found

_COUNTED = re.compile(r"(?:^|[^0-9A-Za-z])\d+(?:\.[^.]*)?$")  # invoices-1.json, not in_1MtHb7.json
_NUMBER = re.compile(r"\d+")


class ListObject(msgspec.Struct):
    """A page of a list, or of what a search found."""

    url: str | None = None
    has_more: bool = False
    data: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET

    @property
    def path(self) -> str | None:
        return self.url and self.url.split("?")[0]


class _Item(msgspec.Struct):
    id: str
    created: int = 0


@dataclass
class _File:
    """The pages of one list in one file: when their newest document was created, whether one is the
    last, the ids that the others are followed after, and those that something else stands after.
    """

    name: str
    newest: int = 0
    ends: bool = False
    cursors: set[str] = field(default_factory=set)
    passed: set[str] = field(default_factory=set)

    def add(self, page: ListObject) -> None:
        items = list(_items(page))
        self.newest = max([self.newest, *(item.created for item in items)])
        ids = [item.id for item in items]
        if page.has_more:
            self.cursors.update(ids[-1:])
            ids = ids[:-1]
        self.ends |= not page.has_more
        self.passed.update(ids)

    @property
    def breaks_off(self) -> bool:
        return not self.ends

    @property
    def in_order(self) -> tuple[str, list[int]]:
        """The name without its numbers, and these: 10 comes after 9."""
        return _NUMBER.sub("#", self.name), [int(each) for each in _NUMBER.findall(self.name)]

    def may_go_on_in(self, other: _File) -> bool:
        return other.newest <= self.newest


def _items(page: ListObject) -> Iterator[_Item]:
    for each in page.data or ():
        try:
            yield msgspec.json.decode(each, type=_Item)
        except ValueError:
            continue  # its reader says what is wrong


def lists_that_go_on(lists: list[Found]) -> Iterator[Problem]:
    """The files in which a list breaks off: invoices that nobody imports would read as "missing in
    the app"."""
    by_path: dict[str | None, dict[str, _File]] = {}
    for each in lists:
        page = msgspec.json.decode(each.content, type=ListObject)
        name = each.position.file
        by_path.setdefault(page.path, {}).setdefault(name, _File(name)).add(page)
    for path, files in by_path.items():
        for file in _without_the_rest(list(files.values())):
            reason = (
                f"the list {path or 'without a url'} has more pages than these: ask for the next"
                " with starting_after (docs/imports.md)"
            )
            yield Problem(file.name, "whole list", reason)


def _without_the_rest(files: list[_File]) -> Iterator[_File]:
    broken_off = [file for file in files if file.breaks_off]
    followed = _followed(files)
    # The end of a list that begins elsewhere, or all of one.
    ends = [file for file in files if file.ends and not file.cursors]
    spare = [file for file in ends if file.name not in followed.values()]
    passed = set[str]().union(*(file.passed for file in files))
    there = [
        file
        for file in broken_off
        if file.name in followed
        or file.cursors & passed
        or any(file.may_go_on_in(end) and not _both_count(file, end) for end in spare)
    ]
    read_on = set[str]().union(*(file.cursors for file in there))  # also in copies of the file
    for file in broken_off:
        if file not in there and not file.cursors & read_on:
            yield file


def _followed(files: list[_File]) -> dict[str, str]:
    """The file in which a list goes on, for those that break off, by the numbers in the names."""
    in_order = sorted(files, key=lambda file: file.in_order)
    return {
        file.name: after.name
        for file, after in pairwise(in_order)
        if file.breaks_off and file.in_order[0] == after.in_order[0] and file.may_go_on_in(after)
    }


def _both_count(file: _File, other: _File) -> bool:
    return bool(_COUNTED.search(file.name) and _COUNTED.search(other.name))
