"""A list of Lago that breaks off is told, whatever other lists lie beside it; one that is all there
is not, whatever its files are called and in whichever order they come."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from app_billing_documents import (
    Json,
    empty,
    lago_credit_note,
    lago_invoice,
    load_lago,
    said,
    write,
)
from sqlalchemy.engine import Engine

MORE = "the list has more pages than these: ask for page {} (docs/imports.md)"


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    empty(engine)


def _pages(run: str, count: int) -> list[Json]:
    """A month's list of invoices, one a page."""
    return [
        {"invoices": [lago_invoice(lago_id=f"{run}-{page}")], "meta": _meta(page, count)}
        for page in range(1, count + 1)
    ]


def _meta(page: int, pages: int) -> Json:
    return {
        "current_page": page,
        "next_page": page + 1 if page < pages else None,
        "prev_page": page - 1 or None,
        "total_pages": pages,
        "total_count": pages,
    }


def _written(folder: Path, name: str, pages: list[Json]) -> list[Path]:
    return [
        write(folder, page, name.replace("N", str(page["meta"]["current_page"]))) for page in pages
    ]


def test_a_list_that_goes_on_is_told_and_what_is_there_loads(
    engine: Engine, tmp_path: Path
) -> None:
    first, second, last = _pages("a", 3)
    report = load_lago(engine, write(tmp_path, first))
    assert said(report) == ["export.json, whole list: " + MORE.format(2)]
    assert report.documents.new == 1
    assert said(load_lago(engine, write(tmp_path, [first, last]))) == [
        "export.json, whole list: " + MORE.format(2)
    ]
    for pages in itertools.permutations([first, second, last]):
        assert load_lago(engine, write(tmp_path, list(pages))).problems == ()


@pytest.mark.parametrize("name", ["lago-invoices-N.json", "N.json", "page N of 11, September.json"])
def test_a_list_that_is_all_there_is_not_told(name: str, engine: Engine, tmp_path: Path) -> None:
    paths = _written(tmp_path, name, _pages("a", 11))
    for order in (paths, paths[::-1], paths[5:] + paths[:5], [*paths, *paths]):
        assert load_lago(engine, *order, dry_run=True).problems == ()


def test_one_months_pages_do_not_speak_for_anothers(engine: Engine, tmp_path: Path) -> None:
    """The last page of September was never fetched; October's of the same number is its own."""
    september = _written(tmp_path, "lago-invoices-2026-09-N.json", _pages("september", 3))
    october = _written(tmp_path, "lago-invoices-2026-10-N.json", _pages("october", 3))
    assert load_lago(engine, *september, *october, dry_run=True).problems == ()
    for paths in ([*september[:2], *october], [*october, *september[:2]]):
        assert said(load_lago(engine, *paths, dry_run=True)) == [
            "lago-invoices-2026-09-2.json, whole list: " + MORE.format(3)
        ]


def test_a_page_of_another_kind_is_no_next_page(engine: Engine, tmp_path: Path) -> None:
    invoices, _ = _pages("a", 2)
    notes = {"credit_notes": [lago_credit_note()], "meta": _meta(2, 2)}
    report = load_lago(
        engine, write(tmp_path, invoices, "one.json"), write(tmp_path, notes, "two.json")
    )
    assert said(report) == ["one.json, whole list: " + MORE.format(2)]
    notes["meta"] = _meta(1, 2)
    assert said(load_lago(engine, write(tmp_path, notes))) == [
        "export.json, whole list: " + MORE.format(2)
    ]


def test_a_list_without_pagination_is_whole(engine: Engine, tmp_path: Path) -> None:
    more: Json
    for more in ({}, {"meta": None}, {"meta": {}}):
        listed = {"invoices": [lago_invoice()], **more}
        assert load_lago(engine, write(tmp_path, listed)).problems == ()
