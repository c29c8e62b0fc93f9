"""Of an invoice's events the last one counts, wherever it stands, and none that happened before
what is known already."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from app_billing_documents import (
    OCTOBER,
    Json,
    empty,
    load_stripe,
    said,
    stored_documents,
    stripe_credit_note,
    stripe_invoice,
    stripe_line,
    stripe_refund,
    write,
)
from sqlalchemy.engine import Engine

DRAFTED, FINALIZED, PAID, VOIDED = (OCTOBER + hours * 3600 for hours in (0, 1, 24, 48))


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    empty(engine)


def _invoice(status: str, *lines: Json, **changes: object) -> Json:
    """As Stripe shows it in that state: each transition has its time, those to come have none."""
    reached = {
        "draft": {},
        "open": {"finalized_at": FINALIZED},
        "paid": {"finalized_at": FINALIZED, "paid_at": PAID},
        "void": {"finalized_at": FINALIZED, "voided_at": VOIDED},
    }[status]
    none = dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at"))
    return stripe_invoice(*lines, status=status, status_transitions=none | reached, **changes)


def _event(at: int, content: Json) -> Json:
    return {"object": "event", "id": f"evt_{at}", "created": at, "data": {"object": content}}


def _page(*events: Json, has_more: bool = False) -> Json:
    return {"object": "list", "url": "/v1/events", "has_more": has_more, "data": list(events)}


def _newest(engine: Engine) -> tuple[str, bool]:
    row = stored_documents(engine)[-1]
    return row.status, row.is_billed


def test_events_are_listed_newest_first_and_the_newest_counts(
    engine: Engine, tmp_path: Path
) -> None:
    states = [(3, "paid"), (2, "open"), (1, "draft")]
    events = [_event(at, stripe_invoice(status=state)) for at, state in states]
    other = {"object": "event", "created": 9, "data": {"object": {"object": "customer"}}}
    report = load_stripe(engine, write(tmp_path, _page(other, *events)))
    assert (report.skipped, report.problems) == (1, ())
    found = [(row.version, row.status, row.is_billed) for row in stored_documents(engine)]
    assert found == [(1, "draft", False), (2, "open", True), (3, "paid", True)]


def test_of_events_of_one_second_the_one_listed_first_counts(
    engine: Engine, tmp_path: Path
) -> None:
    """A subscription's first invoice is drafted, finalized and paid at once. Seconds and list order
    are all that Stripe says."""
    at_once = [_event(1, stripe_invoice(status=state)) for state in ("paid", "open", "draft")]
    load_stripe(engine, write(tmp_path, _page(*at_once)))
    assert [row.status for row in stored_documents(engine)] == ["draft", "open", "paid"]

    empty(engine)
    corrected = stripe_invoice(stripe_line(amount=105))
    load_stripe(engine, write(tmp_path, _page(_event(1, corrected), _event(1, stripe_invoice()))))
    assert [row.net_amount * 100 for row in stored_documents(engine)] == [104, 105]


def test_an_array_that_goes_from_old_to_new_is_taken_so(engine: Engine, tmp_path: Path) -> None:
    """As `jq -s` makes it of what a webhook received."""
    first, corrected = stripe_invoice(), stripe_invoice(stripe_line(amount=105))
    received = [_event(1, stripe_invoice(id="in_0")), _event(2, first), _event(2, corrected)]
    load_stripe(engine, write(tmp_path, received))
    assert [row.net_amount * 100 for row in stored_documents(engine)] == [104, 104, 105]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_pages_of_events_in_any_order(
    order: tuple[int, ...], engine: Engine, tmp_path: Path
) -> None:
    """The first page is the newest. The draft and the open invoice share a second, on two pages."""
    pages = [
        _page(_event(PAID, _invoice("paid")), has_more=True),
        _page(_event(FINALIZED, _invoice("open")), has_more=True),
        _page(_event(FINALIZED, _invoice("draft"))),
    ]
    paths = [write(tmp_path, page, f"events-{n}.json") for n, page in enumerate(pages, 1)]
    report = load_stripe(engine, *(paths[n] for n in order))
    assert report.problems == ()
    assert [row.status for row in stored_documents(engine)] == ["draft", "open", "paid"]
    again = load_stripe(engine, *paths)
    assert (again.documents.unchanged, again.skipped) == (3, 0)


@pytest.mark.parametrize("events_first", [True, False], ids=["events first", "list first"])
@pytest.mark.parametrize(
    ("listed", "newest"), [("draft", "paid"), ("open", "paid"), ("paid", "paid"), ("void", "void")]
)
def test_a_listed_invoice_is_newer_than_the_events_that_it_knows_of(
    listed: str, newest: str, events_first: bool, engine: Engine, tmp_path: Path
) -> None:
    """Its transitions tell how far it had come when it was listed, here with a note besides."""
    events = _page(
        _event(PAID, _invoice("paid")),
        _event(FINALIZED, _invoice("open")),
        _event(DRAFTED, _invoice("draft")),
    )
    paths = [
        write(tmp_path, events, "events.json"),
        write(tmp_path, _invoice(listed, description="a note"), "invoices.json"),
    ]
    report = load_stripe(engine, *(paths if events_first else paths[::-1]))
    assert report.problems == ()
    assert _newest(engine)[0] == newest
    before = len(stored_documents(engine))
    load_stripe(engine, *paths)
    assert len(stored_documents(engine)) == before


@pytest.mark.parametrize(
    ("known", "old"),
    [
        (_invoice("paid"), [(FINALIZED, _invoice("open")), (DRAFTED, _invoice("draft"))]),
        (_invoice("void"), [(PAID, _invoice("paid"))]),
        (
            _invoice("paid", stripe_line(amount=105), webhooks_delivered_at=PAID + 5),
            [(PAID, _invoice("paid"))],
        ),
        (stripe_credit_note(status="void"), [(VOIDED, stripe_credit_note())]),
        (stripe_refund(status="failed"), [(VOIDED, stripe_refund())]),
    ],
    ids=["paid", "void", "after its webhooks", "credit note", "refund"],
)
@pytest.mark.parametrize("as_event", [True, False], ids=["from an event", "from a list"])
def test_an_old_file_of_events_undoes_nothing(
    known: Json, old: list[tuple[int, Json]], as_event: bool, engine: Engine, tmp_path: Path
) -> None:
    load_stripe(engine, write(tmp_path, _event(VOIDED + 9, known) if as_event else known))
    before = stored_documents(engine)
    events = _page(*(_event(at, content) for at, content in old))
    report = load_stripe(engine, write(tmp_path, events, "old.json"))
    assert (report.skipped, report.documents.changed, report.problems) == (len(old), 0, ())
    assert stored_documents(engine) == before


def test_a_later_event_is_a_version(engine: Engine, tmp_path: Path) -> None:
    load_stripe(engine, write(tmp_path, _invoice("open")))
    for at, status in ((PAID, "paid"), (VOIDED, "void")):
        load_stripe(engine, write(tmp_path, _event(at, _invoice(status)), f"{status}.json"))
    assert [row.status for row in stored_documents(engine)] == ["open", "paid", "void"]


def test_an_old_event_with_more_lines_than_stripe_shows_asks_for_nothing(
    engine: Engine, tmp_path: Path
) -> None:
    """The event that finalized the invoice said "open"; that the paid one is known is enough."""
    load_stripe(engine, write(tmp_path, _invoice("paid")))
    shown = {"object": "list", "has_more": True, "data": [stripe_line()]}
    old = [_event(FINALIZED, _invoice("open", lines=shown)), _event(DRAFTED, _invoice("draft"))]
    report = load_stripe(engine, write(tmp_path, _page(*old), "old.json"))
    assert (said(report), report.skipped) == ([], 2)


def test_a_whole_event_replaces_a_version_with_unread_lines(engine: Engine, tmp_path: Path) -> None:
    """Whichever of the two came first, the lines are all there in the end."""
    damaged = _invoice("paid", stripe_line())
    damaged["lines"]["data"][0]["amount"] = "much"
    load_stripe(engine, write(tmp_path, damaged))
    load_stripe(engine, write(tmp_path, _event(FINALIZED, _invoice("open")), "event.json"))
    assert [row.status for row in stored_documents(engine)] == ["paid", "open"]


@pytest.mark.parametrize("at", [10**40, -(10**40)])
def test_an_event_at_no_time_is_named(at: int, engine: Engine, tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(_event(at, _invoice("open"))))
    assert said(load_stripe(engine, path)) == [
        f"export.json, invoice 1: {at} is no time in epoch seconds"
    ]
