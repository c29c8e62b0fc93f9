"""Which failures may be repeated and which not, against servers that fail on a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from odoo_gateway.connect import connect
from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from odoo_gateway.odoorpc_client import OdooRpcClient

VERSION = {
    "server_version": "19.0",
    "server_version_info": [19, 0, 0, "final", 0, ""],
    "server_serie": "19.0",
    "protocol_version": 1,
}


class Failing(ThreadingHTTPServer):
    """Logs everybody in, then answers each ORM call as `status`, `body` and `mode` say."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.body: Any = None
        self.mode = "answer"
        self.released = threading.Event()
        self.seen: list[list[Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Failing

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        params = json.loads(self.rfile.read(length)).get("params") or {}
        if self.path.endswith("version_info"):
            self._answer(200, {"result": VERSION})
        elif params["service"] == "common":
            self._answer(200, {"result": 2})
        elif params["args"][4] == "context_get":
            self._answer(200, {"result": {"lang": "en_US"}})
        else:
            self.server.seen.append(params["args"])
            if self.server.mode == "hang up":
                self.close_connection = True
                self.connection.close()
                return
            if self.server.mode == "silence":
                self.server.released.wait(10)
                return
            self._answer(self.server.status, self.server.body)

    def _answer(self, status: int, body: Any) -> None:
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def _failing() -> Iterator[tuple[Failing, OdooRpcClient]]:
    server = Failing()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        client = connect(url, "odoo", "admin", "key-123", timeout=5)
        assert isinstance(client, OdooRpcClient)
        client.pauses = (0.001, 0.001)
        yield server, client
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def failing() -> Iterator[tuple[Failing, OdooRpcClient]]:
    with _failing() as both:
        yield both


def _rpc_error(name: str, message: str) -> dict[str, Any]:
    data = {"name": name, "message": message, "arguments": [message], "debug": "Traceback key-123"}
    return {"error": {"code": 0, "message": "Odoo Server Error", "data": data}}


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
        ("odoo.exceptions.UserError", "could not serialize access due to read/write dependencies"),
    ],
)
def test_may_be_repeated(failing: tuple[Failing, OdooRpcClient], name: str, message: str) -> None:
    server, client = failing
    server.body = _rpc_error(name, message)
    with pytest.raises(OdooTransientError) as caught:
        client.search_read("res.partner", [], ["name"])
    assert "key-123" not in str(caught.value)


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
def test_says_no_again(failing: tuple[Failing, OdooRpcClient], name: str, message: str) -> None:
    server, client = failing
    server.body = _rpc_error(name, message)
    with pytest.raises(OdooRefusedError) as caught:
        client.write("res.partner", [1], {"name": "x"})
    assert (caught.value.name, str(caught.value)) == (name, message)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_http_errors_of_a_proxy_may_be_repeated(
    failing: tuple[Failing, OdooRpcClient], status: int
) -> None:
    server, client = failing
    server.status, server.body = status, "<html>Bad Gateway</html>"
    with pytest.raises(OdooTransientError, match=f"HTTP {status}"):
        client.search_read("res.partner", [], ["name"])


def test_other_http_errors_say_no(failing: tuple[Failing, OdooRpcClient]) -> None:
    server, client = failing
    server.status, server.body = 403, "no"
    with pytest.raises(OdooRefusedError, match="HTTP 403"):
        client.search_read("res.partner", [], ["name"])


def test_a_page_instead_of_json_may_be_repeated(failing: tuple[Failing, OdooRpcClient]) -> None:
    server, client = failing
    server.body = "<html>maintenance</html>"
    with pytest.raises(OdooTransientError, match="not JSON"):
        client.search_read("res.partner", [], ["name"])


def test_a_lost_connection_may_be_repeated(failing: tuple[Failing, OdooRpcClient]) -> None:
    """A worker killed over its time limit: RemoteDisconnected."""
    server, client = failing
    server.mode = "hang up"
    with pytest.raises(OdooTransientError):
        client.create("res.partner", [{"name": "x"}])
    assert len(server.seen) == 1


def test_silence_ends_after_the_timeout(failing: tuple[Failing, OdooRpcClient]) -> None:
    server, client = failing
    server.mode, client.timeout = "silence", 0.2
    with pytest.raises(OdooTransientError, match="did not answer in time"):
        client.create("res.partner", [{"name": "x"}])


def test_a_server_that_is_gone(failing: tuple[Failing, OdooRpcClient]) -> None:
    with _failing() as (server, client):
        assert server.server_port
    with pytest.raises(OdooTransientError, match="cannot be reached"):
        client.search_read("res.partner", [], ["name"])


def test_calls_carry_what_they_promise(failing: tuple[Failing, OdooRpcClient]) -> None:
    """Reads take archived records and raw ids; writes are quiet; nothing to do is no call."""
    server, client = failing
    server.body = {"result": [7]}
    client.search_read("res.partner", [("id", ">", 1)], ["name"], limit=5)
    assert client.create("res.partner", [{"name": "x"}], context={"lang": "fr_CA"}) == [7]
    client.write("res.partner", [7], {"name": "y"})
    assert client.create("res.partner", []) == []
    client.write("res.partner", [], {"name": "y"})
    read, create, write = (args[4:] for args in server.seen)
    assert read[2] == {
        "fields": ["name"],
        "order": "id",
        "load": False,
        "limit": 5,
        "context": {"active_test": False},
    }
    assert create[1] == [[{"name": "x"}]]
    assert create[2]["context"] == {
        "tracking_disable": True,
        "mail_notrack": True,
        "mail_create_nolog": True,
        "sale_no_log_for_new_lines": True,
        "lang": "fr_CA",
    }
    assert write[2]["context"]["sale_no_log_for_new_lines"] is True


def test_an_address_that_is_no_odoo() -> None:
    class Other(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with pytest.raises(OdooRefusedError, match="this is not an Odoo server"):
            connect(f"http://127.0.0.1:{server.server_port}", "odoo", "admin", "key")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
