"""A list that breaks off is told, whatever other lists lie beside it; one that is all there is not,
whatever its files are called and in whichever order they come."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from app_billing_documents import (
    OCTOBER,
    SEPTEMBER,
    Json,
    empty,
    load_stripe,
    said,
    stored_documents,
    stripe_invoice,
    stripe_line,
    write,
)
from sqlalchemy.engine import Engine


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    empty(engine)


def _pages(start: int, count: int, url: str | None = "/v1/invoices") -> list[Json]:
    """A month's list, newest first, two invoices a page; every page but the last has more."""
    days = range(2 * count, 0, -1)
    invoices = [
        stripe_invoice(
            stripe_line(id=f"il_{start}_{day}"), id=f"in_{start}_{day}", created=start + day * 86400
        )
        for day in days
    ]
    return [
        {"object": "list", "url": url, "has_more": page < count - 1, "data": of_page}
        for page in range(count)
        if (of_page := invoices[2 * page : 2 * page + 2])
    ]


def _written(folder: Path, name: str, pages: list[Json], first: int = 1) -> list[Path]:
    return [
        write(folder, page, name.replace("N", str(number)))
        for number, page in enumerate(pages, first)
    ]


def _broken_off(engine: Engine, paths: list[Path]) -> list[str]:
    report = load_stripe(engine, *paths, dry_run=True)
    assert all("has more pages than these" in problem.reason for problem in report.problems)
    return [problem.file for problem in report.problems]


def test_a_list_that_goes_on_is_told_and_what_is_there_loads(
    engine: Engine, tmp_path: Path
) -> None:
    first, last = _pages(SEPTEMBER, 2)
    report = load_stripe(engine, write(tmp_path, first))
    assert said(report) == [
        "export.json, whole list: the list /v1/invoices has more pages than these: ask for the"
        " next with starting_after (docs/imports.md)"
    ]
    assert report.documents.new == 2
    for pages in ([first, last], [last, first]):
        assert load_stripe(engine, write(tmp_path, pages)).problems == ()
    assert len(stored_documents(engine)) == 4


@pytest.mark.parametrize(
    "names",
    [
        "stripe-invoices-N.json",
        "stripe-invoices-2026-09-N.json",
        "pageN.json",
        "N.json",
        "export_20260930T1015N.json",
    ],
)
def test_all_pages_in_any_order(names: str, engine: Engine, tmp_path: Path) -> None:
    """A shell's `*` puts page 10 before page 2, and so does the drop folder."""
    paths = _written(tmp_path, names, _pages(SEPTEMBER, 12))
    for order in (paths, paths[::-1], sorted(paths), sorted(paths)[::-1]):
        assert _broken_off(engine, order) == []
    assert _broken_off(engine, paths[:-1]) == [paths[-2].name]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_all_pages_in_files_that_do_not_count(
    order: tuple[int, ...], engine: Engine, tmp_path: Path
) -> None:
    names = ("first.json", "in_1MtHbELkdIwHu7ix4.json", "zz.json")
    pages = zip(_pages(SEPTEMBER, 3), (names[n] for n in order), strict=True)
    paths = [write(tmp_path, page, name) for page, name in pages]
    for files in itertools.permutations(paths):
        assert _broken_off(engine, list(files)) == []


def test_the_first_page_without_a_number(engine: Engine, tmp_path: Path) -> None:
    first, second = _pages(SEPTEMBER, 2)
    for name in ("invoices-2.json", "invoices (1).json"):
        paths = [write(tmp_path, first, "invoices.json"), write(tmp_path, second, name)]
        assert _broken_off(engine, paths) == []


def test_the_same_pages_twice(engine: Engine, tmp_path: Path) -> None:
    pages = _pages(SEPTEMBER, 2)
    paths = _written(tmp_path, "invoices-N.json", pages)
    copies = [write(tmp_path, page, f"invoices-{n} (copy).json") for n, page in enumerate(pages, 1)]
    assert _broken_off(engine, [*paths, *copies]) == []
    assert _broken_off(engine, [*copies[:1], *paths]) == []


def test_a_list_that_broke_off_and_was_asked_for_again(engine: Engine, tmp_path: Path) -> None:
    """The broken one still lies in the drop folder; its documents all stand in the other."""
    whole = _written(tmp_path, "again-N.json", _pages(OCTOBER, 3))
    (first, *_) = _pages(OCTOBER, 3)
    broken = write(tmp_path, first | {"data": first["data"][:1]}, "october-1.json")
    assert _broken_off(engine, [broken, *whole]) == []
    assert _broken_off(engine, [broken]) == ["october-1.json"]


@pytest.mark.parametrize(
    ("september", "october"),
    [
        ("september-N.json", "october-N.json"),
        ("stripe-invoices-2026-09-N.json", "stripe-invoices-2026-10-N.json"),
        ("2026-09-pN.json", "2026-10-pN.json"),
        ("september-N.json", "october.json"),
    ],
)
def test_a_whole_list_does_not_speak_for_another(
    september: str, october: str, engine: Engine, tmp_path: Path
) -> None:
    """September's pages were left in the folder, October's stop after the first."""
    whole = _written(tmp_path, september, _pages(SEPTEMBER, 2))
    broken = _written(tmp_path, october, _pages(OCTOBER, 2)[:1])
    for paths in ([*whole, *broken], [*broken, *whole]):
        assert _broken_off(engine, paths) == [broken[0].name]


def test_a_month_a_file(engine: Engine, tmp_path: Path) -> None:
    """Each month is one page but one, which is cut off."""
    august, september, october = (
        _pages(start, 1) for start in (SEPTEMBER - 31 * 86400, SEPTEMBER, OCTOBER)
    )
    months = [*august, *september, *october]
    for cut in range(3):
        pages = [page | {"has_more": n == cut} for n, page in enumerate(months)]
        paths = _written(tmp_path, "stripe-nexacloud-2026-N.json", pages, first=8)
        assert _broken_off(engine, paths) == [f"stripe-nexacloud-2026-{cut + 8}.json"]


def test_an_older_list_does_not_go_on_in_a_newer_one(engine: Engine, tmp_path: Path) -> None:
    broken = write(tmp_path, _pages(SEPTEMBER, 2)[0], "september.json")
    whole = write(tmp_path, _pages(OCTOBER, 1)[0], "october.json")
    assert _broken_off(engine, [whole, broken]) == ["september.json"]


def test_each_kind_of_list_is_judged_by_itself(engine: Engine, tmp_path: Path) -> None:
    invoices = _written(tmp_path, "invoices-N.json", _pages(SEPTEMBER, 2)[:1])
    events = _written(tmp_path, "events-N.json", _pages(SEPTEMBER, 2, "/v1/events"))
    search = _written(tmp_path, "search-N.json", _pages(SEPTEMBER, 2, "/v1/invoices/search?a=b"))
    unnamed = _written(tmp_path, "unnamed-N.json", _pages(SEPTEMBER, 2, None)[:1])
    assert _broken_off(engine, [*invoices, *events, *search, *unnamed]) == [
        "invoices-1.json",
        "unnamed-1.json",
    ]


def test_a_last_page_that_is_empty(engine: Engine, tmp_path: Path) -> None:
    """The draft that should have stood on it was deleted meanwhile."""
    first, last = _pages(SEPTEMBER, 2)
    paths = _written(tmp_path, "invoices-N.json", [first, last | {"data": []}])
    assert _broken_off(engine, paths) == []
    paths = _written(tmp_path, "invoices-N.json", [first, first | {"data": []}])
    assert _broken_off(engine, paths) == ["invoices-2.json"]


def test_a_list_of_lists_of_another_kind_is_named(engine: Engine, tmp_path: Path) -> None:
    """Pages put into an array, those of the charges among them."""
    invoices, *_ = _pages(SEPTEMBER, 1)
    charges = {"object": "list", "url": "/v1/charges", "data": [{"object": "charge", "id": "ch_1"}]}
    more = _pages(OCTOBER, 1, "/v1/invoices")
    report = load_stripe(engine, write(tmp_path, [invoices, charges, *more]))
    assert said(report) == [
        "export.json, list 3: is a list object, not an invoice, credit note or refund"
    ]
    assert report.documents.new == 4
