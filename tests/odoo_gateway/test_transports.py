"""Which failures may be repeated and which not, over both transports."""

from __future__ import annotations

import errno
import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from failing_odoo import (
    HALF,
    HANG_UP,
    RESET,
    SILENCE,
    Answer,
    Failing,
    Page,
    Refusal,
    Result,
    failing_odoo,
)

from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect
from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from odoo_gateway.odoorpc_client import translated
from odoo_gateway.retries import PAUSES
from warehouse.settings import OdooTransport

Pair = tuple[Failing, OdooClient]
PARTNER = "res.partner"

READS: list[tuple[str, Callable[[OdooClient], Any], Any]] = [
    ("search_read", lambda client: client.search_read(PARTNER, [], ["name"]), [{"id": 1}]),
    ("search_count", lambda client: client.search_count(PARTNER, []), 3),
    ("fields_get", lambda client: client.fields_get(PARTNER), {"name": {"type": "char"}}),
]
CHANGES: list[tuple[str, Callable[[OdooClient], Any]]] = [
    ("create", lambda client: client.create(PARTNER, [{"name": "x"}])),
    ("write", lambda client: client.write(PARTNER, [1], {"name": "x"})),
    ("call", lambda client: client.call(PARTNER, "action_archive", [1])),
]
AWAY: list[Answer] = [
    Page(500),
    Page(502),
    Page(503),
    Page(504),
    Page(429),
    Page(200, "<html>maintenance</html>"),
    Page(200, "ÿþ", encoding="latin-1"),
    HANG_UP,
    RESET,
    HALF,
    Refusal("psycopg2.errors.SerializationFailure", "could not serialize access"),
]


def _name(value: object) -> str:
    """Of a parameter: the same in every process, as those of functions are not by themselves."""
    if callable(value) and not isinstance(value, type):
        return "it"
    words = str(getattr(value, "status", "") or getattr(value, "name", "") or value)
    return "".join(each if each.isalnum() else "-" for each in words[:40])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "psycopg2.errors.SerializationFailure",
            "could not serialize access due to concurrent update\n",
        ),
        ("psycopg2.errors.DeadlockDetected", "deadlock detected\nDETAIL: Process 1"),
        ("psycopg2.errors.LockNotAvailable", "could not obtain lock on row"),
        ("psycopg2.OperationalError", "FATAL:  the database system is starting up"),
        ("psycopg2.OperationalError", "server closed the connection unexpectedly"),
        ("psycopg2.pool.PoolError", "The Connection Pool Is Full"),
        ("odoo.exceptions.LockError", "Cannot grab a lock on the records"),
        ("odoo.exceptions.UserError", "could not serialize access due to read/write dependencies"),
    ],
)
def test_may_be_repeated(failing: Pair, name: str, message: str) -> None:
    server, client = failing
    server.always = Refusal(name, message)
    with pytest.raises(OdooTransientError) as caught:
        client.write(PARTNER, [1], {"name": "x"})
    assert str(caught.value) == f"{' '.join(message.split())} ({name})"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("odoo.exceptions.UserError", "You cannot do that."),
        ("odoo.exceptions.ValidationError", "The operation cannot be completed: duplicate key"),
        ("odoo.exceptions.AccessError", "You are not allowed to access 'X' (x) records."),
        ("odoo.exceptions.MissingError", "Record does not exist or has been deleted."),
        ("builtins.ValueError", "Invalid field 'a' on 'b'"),
        ("builtins.TypeError", "missing 1 required positional argument: 'domain'"),
    ],
)
def test_says_no_again(failing: Pair, name: str, message: str) -> None:
    """A refusal is final for a read too: asked once."""
    server, client = failing
    server.always = Refusal(name, message)
    for work in (lambda: client.write(PARTNER, [1], {}), lambda: client.search_count(PARTNER, [])):
        with pytest.raises(OdooRefusedError) as caught:
            work()
        assert (caught.value.name, str(caught.value)) == (name, message)
    assert len(server.seen) == 2


@pytest.mark.parametrize("answer", AWAY, ids=_name)
@pytest.mark.parametrize(("method", "read", "value"), READS, ids=_name)
def test_a_read_is_repeated(
    failing: Pair, answer: Answer, method: str, read: Callable[[OdooClient], Any], value: Any
) -> None:
    server, client = failing
    server.script.extend([answer] * len(PAUSES))
    server.always = Result(value)
    assert read(client) == value
    assert [seen.method for seen in server.seen] == [method] * (len(PAUSES) + 1)
    server.always = answer
    server.seen.clear()
    with pytest.raises(OdooTransientError):
        read(client)
    assert len(server.seen) == len(PAUSES) + 1


@pytest.mark.parametrize("answer", AWAY, ids=_name)
@pytest.mark.parametrize(("method", "change"), CHANGES, ids=_name)
def test_what_changes_something_is_sent_once(
    failing: Pair, answer: Answer, method: str, change: Callable[[OdooClient], Any]
) -> None:
    server, client = failing
    server.always = answer
    with pytest.raises(OdooTransientError):
        change(client)
    assert len(server.seen) == 1


def test_the_version_is_asked_for_again(failing: Pair) -> None:
    server, client = failing
    server.versions_fail = True
    server.always = HANG_UP
    with pytest.raises(OdooTransientError):
        client.version()
    assert len(server.seen) == len(PAUSES) + 1
    server.versions_fail = False
    assert client.version().series == "19.0"


def test_a_proxys_status_is_named(failing: Pair) -> None:
    server, client = failing
    server.always = Page(502)
    with pytest.raises(OdooTransientError, match="Odoo answered HTTP 502 Bad Gateway"):
        client.search_read(PARTNER, [], ["name"])
    server.always = Page(403, "no")
    with pytest.raises(OdooRefusedError, match="HTTP 403"):
        client.search_read(PARTNER, [], ["name"])
    server.always = Page(200, "<html>maintenance</html>")
    with pytest.raises(OdooTransientError, match="not JSON"):
        client.search_read(PARTNER, [], ["name"])


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (OSError(errno.EHOSTUNREACH, "No route to host"), "was lost (OSError)"),
        (ssl.SSLError(1, "[SSL: DECRYPTION_FAILED] bad record mac"), "was lost (SSLError)"),
        (TimeoutError(), "the work may have been done"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "is not JSON"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_breaks_while_an_answer_is_read_is_transient(fault: Exception, says: str) -> None:
    """urllib wraps what happens while it sends, and lets out as it is what happens after."""

    def broken() -> None:
        raise fault

    with pytest.raises(OdooTransientError) as caught:
        translated(broken)
    assert str(caught.value).endswith(says)


@pytest.mark.parametrize("how", [HANG_UP, RESET, HALF])
def test_a_lost_connection_says_so(failing: Pair, how: str) -> None:
    """A worker killed over its time limit, a router that forgot the connection."""
    server, client = failing
    server.always = how
    with pytest.raises(OdooTransientError, match="the connection to Odoo was lost"):
        client.create(PARTNER, [{"name": "x"}])


@pytest.mark.parametrize(
    "work",
    [
        lambda client: client.create(PARTNER, [{"name": "x"}]),
        lambda client: client.search_read(PARTNER, [], ["name"]),
    ],
)
def test_silence_ends_after_the_timeout(
    failing: Pair, work: Callable[[OdooClient], object]
) -> None:
    """A read is not repeated after it: Odoo is still at work on the first one."""
    server, client = failing
    server.always, client.timeout = SILENCE, 0.2
    assert client.timeout == 0.2
    with pytest.raises(OdooTransientError, match="did not answer in time"):
        work(client)
    assert len(server.seen) == 1


def test_a_server_that_is_gone(transport: OdooTransport) -> None:
    with failing_odoo(transport) as (server, client):
        assert server.server_port
    with pytest.raises(OdooTransientError, match="cannot be reached"):
        client.search_read(PARTNER, [], ["name"])


QUIET = {
    "tracking_disable": True,
    "mail_notrack": True,
    "mail_create_nolog": True,
    "sale_no_log_for_new_lines": True,
}
READ = {"fields": ["name"], "order": "id", "load": False, "limit": 5}
EVERYTHING = {"active_test": False}
DOMAIN = [["id", ">", 1]]


def test_calls_carry_what_they_promise(failing: Pair, transport: OdooTransport) -> None:
    """Reads take archived records and raw ids; writes are quiet; nothing to do is no call."""
    server, client = failing
    server.script.extend([Result([]), Result(2), Result([7])])
    server.always = Result(True)
    client.search_read(PARTNER, [("id", ">", 1)], ["name"], limit=5)
    assert client.search_count(PARTNER, [("id", ">", 1)]) == 2
    assert client.create(PARTNER, [{"name": "x"}], context={"lang": "fr_CA"}) == [7]
    client.write(PARTNER, [7], {"name": "y"})
    assert client.create(PARTNER, []) == []
    client.write(PARTNER, [], {"name": "y"})
    assert client.call("sale.order", "action_cancel", [3], context={"a": 1}, reason="b") is True
    french = {**QUIET, "lang": "fr_CA"}
    named = {"context": {"a": 1}, "reason": "b"}
    assert [seen.arguments for seen in server.seen] == (
        [
            {**READ, "domain": DOMAIN, "context": EVERYTHING},
            {"domain": DOMAIN, "context": EVERYTHING},
            {"vals_list": [{"name": "x"}], "context": french},
            {"ids": [7], "vals": {"name": "y"}, "context": QUIET},
            {"ids": [3], **named},
        ]
        if transport is OdooTransport.JSON2
        else [
            [[DOMAIN], {**READ, "context": EVERYTHING}],
            [[DOMAIN], {"context": EVERYTHING}],
            [[[{"name": "x"}]], {"context": french}],
            [[[7], {"name": "y"}], {"context": QUIET}],
            [[[3]], named],
        ]
    )


def test_an_address_that_is_no_odoo(transport: OdooTransport) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(OdooRefusedError, match="this is not an Odoo server"):
            connect(url, "odoo", "admin", "key", transport=transport)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
