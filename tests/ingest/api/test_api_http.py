"""The endpoint's HTTP, on routes answered directly and by the framework: raw requests over sockets,
as no client library would send them."""

from __future__ import annotations

import json
import random
import select
import signal
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any

import psycopg
import pytest
from endpoint_world import REPOSITORY, Endpoint, Service, counter, event, running, until
from sqlalchemy.engine import make_url

from ingest.api.connection import LINGER_SECONDS

# The same route, answered directly and, with a slash at its end, by the framework.
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
        return read_answer(client.makefile("rb"), has_body=not request.startswith(b"HEAD"))


def read_answer(received: IO[bytes], *, has_body: bool = True) -> tuple[int, dict[str, str], Any]:
    """The next answer on a connection: status, headers and body."""
    status = int(received.readline().split()[1])
    headers = {}
    while line := received.readline().strip():
        name, _, value = line.decode().partition(": ")
        headers[name.lower()] = value
    content = received.read(int(headers.get("content-length", 0))) if has_body else b""
    return status, headers, json.loads(content) if content else None


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


REFUSED = [
    ("/nothing", "X: y", 404),
    ("/health", "X: y", 405),
    ("/api/v1/events", "Content-Type: text/plain", 415),
    ("/api/v1/events", "Authorization: Bearer wrong", 401),
    ("/api/v1/events/", "Content-Type: text/plain", 415),
]


def posting(app: Service, path: str, header: str, length: int) -> bytes:
    kind = () if header.startswith("Authorization") else (auth(app),)
    lines = (f"POST {path} HTTP/1.1", "Host: h", *kind, header, f"Content-Length: {length}", "", "")
    return "\r\n".join(lines).encode()


def auth(app: Service) -> str:
    return f"Authorization: {app.http.headers['Authorization']}"


@pytest.mark.parametrize(("path", "header", "status"), REFUSED)
def test_who_is_refused_keeps_the_connection(
    app: Service, path: str, header: str, status: int
) -> None:
    with connection(app.endpoint) as client:
        received = client.makefile("rb")
        for _ in range(2):
            client.sendall(posting(app, path, header, len(body(0))) + body(0))
            got, headers, _ = read_answer(received)
            assert (got, headers.get("connection")) == (status, None)


@pytest.mark.parametrize(("path", "header", "status"), REFUSED)
def test_who_sends_much_is_refused_before_and_told_to_connect_anew(
    app: Service, path: str, header: str, status: int
) -> None:
    """The answer arrives although the client goes on sending, and nothing after it is taken for a
    request."""
    with connection(app.endpoint) as client:
        client.sendall(posting(app, path, header, 1_000_000))
        got, headers, _ = read_answer(client.makefile("rb"))
        assert (got, headers["connection"]) == (status, "close")
        client.sendall(b" " * 1_000_000 + head(app, "GET /health"))
        assert client.recv(1) == b""


def test_who_sends_all_before_it_reads_gets_its_refusal(app: Service) -> None:
    """Reading is held up while the key is looked up; what comes is then thrown away, not left."""
    much = 30_000_000
    unknown = f"Authorization: Bearer fb_{'x' * 43}"
    with connection(app.endpoint) as client, ThreadPoolExecutor(1) as pool:
        with psycopg.connect(app.endpoint.database_url) as blocker:
            blocker.execute("lock table ops.api_key in access exclusive mode")
            request = posting(app, "/api/v1/events", unknown, much) + b" " * much
            sent = pool.submit(client.sendall, request)
            until(lambda: _waits(app))
            with pytest.raises(TimeoutError):
                sent.result(0.5)
            blocker.rollback()
        sent.result(20)
        received = client.makefile("rb")
        assert read_answer(received)[0] == 401
        assert received.read() == b""


def test_requests_before_what_is_no_http_are_answered(app: Service) -> None:
    sent = [
        head(app, "POST /api/v1/events", f"Content-Length: {len(body(n))}") + body(n)
        for n in range(5)
    ]
    with connection(app.endpoint) as client:
        client.sendall(b"".join(sent) + b"nonsense\r\n\r\n")
        received = client.makefile("rb")
        answers = [read_answer(received) for _ in sent]
        assert received.read() == b""
    assert [told["event"]["transaction_id"] for _, _, told in answers] == [
        f"tx{n}" for n in range(5)
    ]


def test_requests_sent_ahead_are_answered_in_their_order(app: Service) -> None:
    """Two stored, one refused, one read: one commit may overtake another, no answer does."""
    events = [body(number) for number in range(40)]
    sent = [
        head(app, f"POST {WAYS[number % 2]}", f"Content-Length: {len(each)}") + each
        for number, each in enumerate(events)
    ]
    sent.insert(20, head(app, "GET /api/v1/events/tx3"))
    sent.insert(30, head(app, "GET /nothing"))
    with connection(app.endpoint) as client:
        client.sendall(b"".join(sent))
        received = client.makefile("rb")
        answers = [read_answer(received) for _ in sent]
    assert [status for status, _, _ in answers] == [*[200] * 30, 404, *[200] * 11]
    told = [each["event"]["transaction_id"] for _, _, each in answers if "event" in each]
    assert told == [f"tx{n}" for n in [*range(20), 3, *range(20, 40)]]
    assert app.rows("count(*)") == [(40,)]


@pytest.mark.parametrize("seed", range(12))
def test_however_it_is_cut_a_stream_has_the_same_answers(app: Service, seed: int) -> None:
    """Requests of every kind one behind the other, cut at random bytes, each cut a packet."""
    print(f"seed {seed}")
    dice = random.Random(seed)
    whole, expected, stored = b"", [], 0
    for number in range(dice.randint(2, 12)):
        path, sent = dice.choice(WAYS), body(number)
        parts = chunks(*(sent[n : n + 50] for n in range(0, len(sent), 50)))
        upgrade = ("Connection: Upgrade", "Upgrade: h2c")
        length = f"Content-Length: {len(sent)}"
        request, status = dice.choice(
            [
                (head(app, f"POST {path}", length) + sent, 200),
                (head(app, f"POST {path}", "Transfer-Encoding: chunked") + parts, 200),
                (head(app, f"POST {path}", *upgrade, length) + sent, 200),
                (head(app, f"POST {path}", length, "Content-Type: text/plain") + sent, 415),
                (head(app, f"POST {path}"), 400),
                (head(app, "GET /api/v1/events/nothing"), 404),
                (head(app, "GET /health", *upgrade), 200),
                (b"\r\n" + head(app, "GET /health?" + "x" * 3000), 200),
            ]
        )
        whole += request
        expected.append((status, f"tx{number}" if request.startswith(b"POST") else None))
        stored += request.startswith(b"POST") and status == 200
    cuts = sorted(dice.sample(range(len(whole)), dice.randint(0, min(60, len(whole)))))
    with connection(app.endpoint) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            client.sendall(whole[start:end])
        received = client.makefile("rb")
        for status, transaction_id in expected:
            got, headers, told = read_answer(received)
            assert (got, headers.get("connection")) == (status, None)
            if status == 200 and transaction_id:
                assert told["event"]["transaction_id"] == transaction_id
        client.shutdown(socket.SHUT_WR)
        assert received.read() == b""
    assert app.rows("count(*)") == [(stored,)]


def test_a_client_that_sends_no_more_gets_its_answers(app: Service) -> None:
    sent = head(app, "POST /api/v1/events", f"Content-Length: {len(body(0))}") + body(0)
    with connection(app.endpoint) as client:
        client.sendall(sent + sent)
        client.shutdown(socket.SHUT_WR)
        received = client.makefile("rb")
        told = [read_answer(received)[2]["event"] for _ in range(2)]
        assert received.read() == b""
    assert [each.get("duplicate") for each in told] == [None, True]


@pytest.mark.parametrize("path", WAYS)
def test_who_asks_for_another_protocol_is_answered_in_this(app: Service, path: str) -> None:
    """As Java's client asks for HTTP/2; the parser takes what follows for the other protocol's."""
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    with connection(app.endpoint) as client:
        received = client.makefile("rb")
        for number in range(2):
            sent = body(number)
            length = f"Content-Length: {len(sent)}"
            client.sendall(head(app, f"POST {path}", *upgrade, length) + sent[:20])
            client.sendall(sent[20:] + head(app, "GET /health", *upgrade))
            assert [read_answer(received)[0] for _ in range(2)] == [200, 200]
        chunked = head(app, f"POST {path}", *upgrade, "Transfer-Encoding: chunked")
        client.sendall(chunked + chunks(body(2)))
        status, _, told = read_answer(received)
        assert (status, "without Upgrade" in told["error"]) == (400, True)
    assert app.rows("transaction_id") == [("tx0",), ("tx1",)]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000, 431),
        (b"GET /" + b"x" * 200_000, 431),
        (b"".join(b"X-%d: y\r\n" % n for n in range(50_000)), 400),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(50_000)), 431),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET http://[ HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: a\0b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
    ],
)
def test_what_is_no_http_is_told_so_and_let_go(app: Service, sent: bytes, status: int) -> None:
    got, headers, told = answer(app, sent)
    assert (got, told["status"], headers["connection"]) == (status, status, "close")
    line = f'"request_id":"{headers["x-request-id"]}"'
    until(lambda: line in app.endpoint.log.read_text())


@pytest.mark.parametrize("path", WAYS)
def test_a_chunk_that_never_begins_ends_the_request(app: Service, path: str) -> None:
    """Its head, or the trailers behind the last, without end."""
    for rest in (b"5;" + b"x" * 200_000, b"0\r\n" + b"X: y\r\n" * 50_000):
        sent = head(app, f"POST {path}", "Transfer-Encoding: chunked") + chunks(body(0), end=rest)
        status, headers, told = answer(app, sent)
        assert (status, headers["connection"]) == (400, "close")
        assert told["error"] == "BadRequest: the body is not complete"
    assert app.rows("count(*)") == [(0,)]


def test_older_and_proxied_requests(app: Service) -> None:
    """HTTP/1.0 ends its connection; a proxy names the host in the address."""
    with connection(app.endpoint) as client:
        client.sendall(head(app, "GET http://h/api/v1/events?per_page=1"))
        assert read_answer(client.makefile("rb"))[0] == 200
        client.sendall(f"GET /api/v1/events HTTP/1.0\r\n{auth(app)}\r\n\r\n".encode())
        received = client.makefile("rb")
        status, headers, _ = read_answer(received)
        assert (status, headers["connection"], received.read()) == (200, "close", b"")
        assert parsedate_to_datetime(headers["date"]).tzinfo is not None


def test_a_client_that_takes_no_answers_is_not_answered_without_end(app: Service) -> None:
    """What waits for it stays small; once it reads, it gets all."""
    app.post("/events/batch", {"events": [event(number) for number in range(100)]})
    request = head(app, "GET /api/v1/events?per_page=100", "X-Request-Id: unread")
    asked = 2_000  # some 60 MB of answers
    with connection(app.endpoint) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        client.sendall(request * asked)
        answered = 0
        while (now := app.endpoint.log.read_text().count('"unread"')) > answered or not now:
            answered = now
            time.sleep(0.5)
        assert answered < asked / 8
        client.shutdown(socket.SHUT_WR)
        client.settimeout(60)
        assert client.makefile("rb").read().count(b"HTTP/1.1 200 OK") == asked


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
    with connection(app.endpoint) as client:
        received = client.makefile("rb")
        for path in ("/health", "/api/v1/usage", "/api/v1/events"):
            client.sendall(head(app, f"HEAD {path}") + head(app, "GET /health"))
            status, headers, _ = read_answer(received, has_body=False)
            assert (status, headers["content-type"]) == (405, "application/json")
            assert read_answer(received)[0] == 200


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


def test_who_reads_slowly_gets_all_of_the_last_answer(app: Service) -> None:
    """Longer after its end than what a closed connection is given to clients that do not read."""
    long = [event(number, properties={"x": "y" * 60_000}) for number in range(100)]
    for start in range(0, 100, 25):
        app.post("/events/batch", {"events": long[start : start + 25]}).raise_for_status()
    with connection(app.endpoint) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        client.sendall(head(app, "GET /api/v1/events?per_page=100", "Connection: close"))
        assert not select.select([], [], [client], LINGER_SECONDS + 1)[2]
        received = client.makefile("rb")
        status, headers, told = read_answer(received)
        assert (status, headers["connection"], len(told["events"])) == (200, "close", 100)
        assert received.read() == b""


def test_a_client_that_goes_on_asking_does_not_hold_up_a_stop(
    api_database_url: str, tmp_path: Path
) -> None:
    """It has an answer to every request that was taken, and then an end."""
    with running(api_database_url, tmp_path) as endpoint:
        request = head(endpoint.service(), "GET /api/v1/events")
        with connection(endpoint) as client:
            client.sendall(request * 64)
            received = client.makefile("rb")
            for number in range(100_000):
                if number == 200:
                    endpoint.process.send_signal(signal.SIGTERM)
                status, headers, _ = read_answer(received)
                assert status == 200
                if "connection" in headers:
                    break
                client.sendall(request)
            assert received.read() == b""
        assert endpoint.process.wait(10) == 0
        assert "not_answered" not in endpoint.log.read_text()


# What a worker imports first, for it is a process of its own.
_WATCHED = """
import sys
sys.path.insert(0, {repository!r})
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


def test_a_stop_closes_writer_and_database(api_database_url: str, tmp_path: Path) -> None:
    watching = tmp_path / "watching"
    watching.mkdir()
    (watching / "sitecustomize.py").write_text(_WATCHED.format(repository=str(REPOSITORY)))
    with running(api_database_url, tmp_path, PYTHONPATH=str(watching)) as endpoint:
        app = endpoint.service()
        app.post("/usage", {"counters": [counter(0)]}).raise_for_status()
        endpoint.process.send_signal(signal.SIGTERM)
        assert endpoint.process.wait(20) == 0
        lines = endpoint.log.read_text().splitlines()
    assert [line for line in lines if line.startswith("closed")] == [
        "closed Writer",
        "closed Database",
    ]
