"""What only JSON-2 has: kept connections, HTTP's refusals, a database that goes away."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest
from failing_odoo import KEY, Failing, Page, Result, failing_odoo

from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from odoo_gateway.json2_client import Json2Client
from odoo_gateway.retries import PAUSES
from warehouse.settings import OdooTransport

Pair = tuple[Failing, OdooClient]
UNAUTHORIZED = (
    '{"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey",'
    ' "arguments": ["Invalid apikey", 401], "context": {}, "debug": "Traceback"}'
)


@pytest.fixture
def json2() -> Iterator[Pair]:
    with failing_odoo(OdooTransport.JSON2) as both:
        yield both


def test_one_connection_serves_all_calls(json2: Pair) -> None:
    server, client = json2
    server.always = Result([7])
    for _ in range(5):
        client.create("res.partner", [{"name": "x"}])
    client.version()
    assert (len(server.seen), len(server.sockets)) == (5, 1)


def test_a_connection_that_was_closed_meanwhile_is_replaced(json2: Pair) -> None:
    """A proxy's idle time-out: even a create, which is never repeated, gets through once the news
    has come to this machine."""
    server, client = json2
    server.always, server.closes_after_answers = Result([7]), True
    for _ in range(3):
        assert client.create("res.partner", [{"name": "x"}]) == [7]
        _wait_for_the_news(client)
    assert len(server.seen) == 3
    assert len(server.sockets) >= 3


def _wait_for_the_news(client: OdooClient) -> None:
    assert isinstance(client, Json2Client)
    transport = client._http._transport
    assert isinstance(transport, httpx.HTTPTransport)
    deadline = time.monotonic() + 5
    while not all(each.has_expired() for each in transport._pool.connections):
        assert time.monotonic() < deadline


def test_a_key_that_expired_is_named(json2: Pair) -> None:
    server, client = json2
    server.always = Page(401, UNAUTHORIZED)
    with pytest.raises(OdooRefusedError) as caught:
        client.search_read("res.partner", [], ["name"])
    assert str(caught.value) == (
        "ODOO_API_KEY: Odoo refused it (Invalid apikey); it is wrong or has expired: make a new key"
        " in Odoo (Preferences, Account security, New API key) and put it into .env"
    )
    assert caught.value.name == "odoo.exceptions.AccessDenied"
    assert len(server.seen) == 1


def test_a_session_whose_database_goes_away_may_repeat(json2: Pair) -> None:
    """While PostgreSQL is away Odoo answers as if it had no such database (measured)."""
    server, client = json2
    page = "<p>No database is selected and the requested URL was not found …</p>"
    server.always = Page(404, page)
    with pytest.raises(OdooTransientError, match="its PostgreSQL is away"):
        client.create("res.partner", [{"name": "x"}])
    server.always = Result(4)
    server.script.extend([Page(404, page)] * len(PAUSES))
    assert client.search_count("res.partner", []) == 4


def test_other_pages_that_are_not_found_say_no(json2: Pair) -> None:
    server, client = json2
    server.always = Page(404, "<h1>Not Found</h1>")
    with pytest.raises(OdooRefusedError, match="HTTP 404 Not Found"):
        client.search_count("res.partner", [])


def test_an_answer_that_is_nothing_is_none(json2: Pair) -> None:
    server, client = json2
    server.always = Result(None)
    assert client.call("res.partner", "action_archive", [1]) is None


def test_a_client_shows_no_key(json2: Pair) -> None:
    _server, client = json2
    assert KEY not in repr(client)
    assert KEY not in repr(vars(client))
