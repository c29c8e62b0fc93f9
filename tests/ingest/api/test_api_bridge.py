"""What passes between Granian's RSGI and the routes, answered directly or by the framework: raw
requests over sockets, as no client library would send them."""

from __future__ import annotations

import json
import signal
import socket
import struct
from pathlib import Path
from typing import Any

import endpoint_world
import psycopg
import pytest
from endpoint_world import Endpoint, Service, counter, event, running, until
from sqlalchemy.engine import make_url

# The same route, answered directly and, with a slash at its end, through the bridge.
WAYS = ("/api/v1/events", "/api/v1/events/")
_RESET = struct.pack("ii", 1, 0)


def connection(endpoint: Endpoint) -> socket.socket:
    port = make_url(endpoint.base).port
    assert port is not None
    return socket.create_connection(("127.0.0.1", port), timeout=20)


def head(app: Service, line: str, *headers: str) -> bytes:
    key = app.http.headers["Authorization"]
    lines = (f"{line} HTTP/1.1", "Host: h", f"Authorization: {key}", *headers, "", "")
    return "\r\n".join(lines).encode()


def answer(app: Service, request: bytes, *, shut: bool = False) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of the answer to one request; all that comes, up to the end."""
    with connection(app.endpoint) as client:
        client.sendall(request)
        if shut:
            client.shutdown(socket.SHUT_WR)
        received = client.makefile("rb")
        status = int(received.readline().split()[1])
        headers = {}
        while line := received.readline().strip():
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        has_body = not request.startswith(b"HEAD") and status not in (100, 204)
        body = received.read(int(headers.get("content-length", 0))) if has_body else b""
    return status, headers, json.loads(body) if body else None


def chunks(*parts: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + end


def body(number: int) -> bytes:
    return json.dumps({"event": event(number)}).encode()


@pytest.mark.parametrize(
    ("path", "transaction_id"),
    [
        ("a%2Fb", "a/b"),
        ("a/b", "a/b"),
        ("50%25", "50%"),
        ("a%252Fb", "a%2Fb"),
        ("x+y;z=1", "x+y;z=1"),
        ("%C3%A4", "ä"),
    ],
)
def test_a_path_is_decoded_once(app: Service, path: str, transaction_id: str) -> None:
    app.post("/events", {"event": event(transaction_id=transaction_id)}).raise_for_status()
    status, _, told = answer(app, head(app, f"GET /api/v1/events/{path}"))
    assert (status, told["event"]["transaction_id"]) == (200, transaction_id)


@pytest.mark.parametrize(
    "path", ["a%00b", "%ff", "%E2%82", "..%2f..%2fmetrics", "%zz", "a//b", "x?y=%zz&z=%ff"]
)
def test_a_path_that_names_nothing_is_a_404(app: Service, path: str) -> None:
    assert answer(app, head(app, f"GET /api/v1/events/{path}"))[0] == 404


def test_the_query_arrives_as_it_was_sent(app: Service) -> None:
    app.post("/events", {"event": event(code="ä+&")}).raise_for_status()
    status, _, told = answer(app, head(app, "GET /api/v1/events?code=%C3%A4%2B%26&per_page=1"))
    assert (status, told["events"][0]["code"]) == (200, "ä+&")


@pytest.mark.parametrize("path", WAYS)
def test_a_body_in_chunks(app: Service, path: str) -> None:
    """Also with trailers, where they were announced."""
    sent = "Transfer-Encoding: chunked"
    request = head(app, f"POST {path}", sent) + chunks(body(0)[:9], body(0)[9:])
    assert answer(app, request)[0] == 200
    trailers = chunks(body(1), end=b"0\r\nx-sum: 1\r\n\r\n")
    assert answer(app, head(app, f"POST {path}", sent, "Trailer: x-sum") + trailers)[0] == 200
    assert app.rows("transaction_id") == [("tx0",), ("tx1",)]


@pytest.mark.parametrize("path", WAYS)
@pytest.mark.parametrize(
    ("header", "sent"),
    [
        ("Transfer-Encoding: chunked", chunks(body(0), end=b"")),
        ("Transfer-Encoding: chunked", chunks(body(0), end=b"zz\r\n\r\n")),
        ("Content-Length: 1000", body(0)),
    ],
)
def test_a_body_that_breaks_off_is_none_though_it_reads_well(
    app: Service, path: str, header: str, sent: bytes
) -> None:
    status, headers, told = answer(
        app, head(app, f"POST {path}", header, "X-Request-Id: half") + sent, shut=True
    )
    assert (status, told["error"]) == (400, "BadRequest: the body is not complete")
    assert headers["x-request-id"] == "half"
    assert app.rows("count(*)") == [(0,)]
    until(lambda: '{"request_id":"half"' in app.endpoint.log.read_text())
    lines = [line for line in app.endpoint.log.read_text().splitlines() if '"half"' in line]
    assert json.loads(lines[-1])["status"] == 0


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/nothing", "X: y"),
        ("/health", "X: y"),
        ("/api/v1/events", "Content-Type: text/plain"),
        ("/api/v1/events", "Authorization: Bearer wrong"),
        ("/api/v1/events/", "Content-Type: text/plain"),
    ],
)
def test_who_is_answered_before_the_body_is_told_to_connect_anew(
    app: Service, path: str, header: str
) -> None:
    """The server ends such a connection: the next request there would get no answer."""
    lines = (f"POST {path} HTTP/1.1", "Host: h", header, f"Content-Length: {len(body(0))}")
    status, headers, _ = answer(app, "\r\n".join((*lines, "", "")).encode())
    assert (status >= 400, headers.get("connection")) == (True, "close")
    _, headers, _ = answer(app, head(app, f"GET {path}"))
    assert "connection" not in headers


def frame(kind: int, flags: int, content: bytes, stream: int = 1) -> bytes:
    """A frame of HTTP/2 (RFC 9113)."""
    return struct.pack(">I", len(content))[1:] + struct.pack(">BBI", kind, flags, stream) + content


def literal(name: str, value: str) -> bytes:
    """A header of HTTP/2 that no table holds (RFC 7541, 6.2.2); shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
END_STREAM, END_HEADERS = 1, 4


@pytest.mark.parametrize("path", WAYS)
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_stream_that_is_reset_without_an_error_is_no_body(
    app: Service, path: str, is_whole: bool
) -> None:
    """HTTP/2 ends a body that way as well: it is complete where its announced length is there."""
    sent = body(0)
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "h",
        "authorization": app.http.headers["Authorization"],
        "content-length": str(len(sent) if is_whole else 1000),
        "x-request-id": f"reset-{is_whole}-{len(path)}",
    }
    block = b"".join(literal(name, value) for name, value in headers.items())
    with connection(app.endpoint) as client:
        client.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(SETTINGS, 0, b"", stream=0)
            + frame(HEADERS, END_HEADERS, block)
            + frame(DATA, END_STREAM if is_whole else 0, sent)
            + (b"" if is_whole else frame(RST_STREAM, 0, struct.pack(">I", 0)))
        )
        line = f'"request_id":"{headers["x-request-id"]}"'
        until(lambda: line in app.endpoint.log.read_text())
    (logged,) = [
        json.loads(each) for each in app.endpoint.log.read_text().splitlines() if line in each
    ]
    assert logged["status"] == (200 if is_whole else 0)
    assert app.rows("count(*)") == [(1 if is_whole else 0,)]


@pytest.mark.parametrize("path", WAYS)
@pytest.mark.parametrize("header", [(), ("Content-Length: 0",)])
def test_no_body_is_a_400(app: Service, path: str, header: tuple[str, ...]) -> None:
    assert answer(app, head(app, f"POST {path}", *header))[0] == 400


@pytest.mark.parametrize("path", WAYS)
def test_a_client_may_ask_before_it_sends_its_body(app: Service, path: str) -> None:
    expect = "Expect: 100-continue"
    with connection(app.endpoint) as client:
        client.sendall(head(app, f"POST {path}", expect, f"Content-Length: {len(body(0))}"))
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(body(0))
        assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert answer(app, head(app, f"POST {path}", expect, "Content-Length: 50000000"))[0] == 413


def test_a_head_request_has_the_headers_alone(app: Service) -> None:
    for path in ("/health", "/api/v1/usage", "/api/v1/events"):
        status, headers, _ = answer(app, head(app, f"HEAD {path}"))
        assert (status, headers["content-type"]) == (405, "application/json")


@pytest.mark.parametrize("path", WAYS)
def test_headers_that_come_twice_or_are_no_ascii(app: Service, path: str) -> None:
    """The first counts. What cannot be read as text is not taken for absent."""
    length = f"Content-Length: {len(body(0))}"
    twice = (
        "Content-Type: application/json",
        "Content-Type: text/plain",
        "Authorization: Bearer x",
    )
    assert answer(app, head(app, f"POST {path}", length, *twice) + body(0))[0] == 200
    odd = "Content-Type: text/plain; x=ä"
    assert answer(app, head(app, f"POST {path}", length, odd) + body(0))[0] == 415
    lengths = ("Content-Length: 5", "Content-Length: 6")
    assert answer(app, head(app, f"POST {path}", *lengths) + body(0))[0] == 400


@pytest.mark.parametrize("path", WAYS)
def test_who_hangs_up_in_mid_body_leaves_nothing_behind(app: Service, path: str) -> None:
    for number in range(20):
        with connection(app.endpoint) as client:
            half = body(number)[:-5]
            client.sendall(head(app, f"POST {path}", f"Content-Length: {len(body(number))}") + half)
            if number % 2:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    assert app.post("/events", {"event": event(99)}).status_code == 200
    assert app.rows("transaction_id") == [("tx99",)]


def test_who_hangs_up_before_the_commit_is_stored_all_the_same(app: Service) -> None:
    sent = json.dumps({"counters": [counter(0)]}).encode()
    with psycopg.connect(app.endpoint.database_url) as blocker:
        blocker.execute("lock table raw.usage_counter in access exclusive mode")
        with connection(app.endpoint) as client:
            client.sendall(head(app, "POST /api/v1/usage", f"Content-Length: {len(sent)}") + sent)
            until(lambda: _waits(app))
        blocker.rollback()
    until(lambda: app.rows("count(*)") == [(1,)])
    assert app.post("/usage", {"counters": [counter(0)]}).json()["usage"]["duplicates"] == 1


def _waits(app: Service) -> bool:
    with psycopg.connect(app.endpoint.database_url) as watcher:
        row = watcher.execute(
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and wait_event_type = 'Lock' and application_name = 'fusion-billing-ingest'"
        ).fetchone()
    return row is not None and row[0] > 0


_WATCHED = """
import sys
from ingest.api.database import Database
from ingest.api.writer import Writer
def watched(kind):
    close = kind.close
    async def told(self):
        await close(self)
        print("closed", kind.__name__, file=sys.stderr, flush=True)
    kind.close = told
watched(Writer)
watched(Database)
"""


def test_a_stop_closes_writer_and_database(
    api_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint_world, "RUN", _WATCHED + endpoint_world.RUN)
    with running(api_database_url, tmp_path) as endpoint:
        app = endpoint.service()
        app.post("/usage", {"counters": [counter(0)]}).raise_for_status()
        endpoint.process.send_signal(signal.SIGTERM)
        assert endpoint.process.wait(20) == 0
        lines = endpoint.log.read_text().splitlines()
    assert [line for line in lines if line.startswith("closed")] == [
        "closed Writer",
        "closed Database",
    ]
