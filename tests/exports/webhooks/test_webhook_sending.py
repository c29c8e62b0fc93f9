"""One attempt against every kind of receiver: what it says, and that it ends in time."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from receivers import OK, Receiver, answer, receiving, reset, status

from exports.webhooks.sending import Outcome, Sender
from warehouse.webhooks import TargetPolicy

OPEN = TargetPolicy(allow_private=True, allow_http=True)
TLS = ssl.create_default_context()
SECONDS = 1.0


def send(url: str, policy: TargetPolicy = OPEN, **more: object) -> tuple[Outcome, float]:
    sender = Sender(policy, TLS, SECONDS)._replace(**more)
    began = time.monotonic()
    outcome = asyncio.run(sender.send(url, b"{}", {"webhook-id": "m"}))
    return outcome, time.monotonic() - began


def test_a_receiver_that_says_200_has_heard_it() -> None:
    with receiving() as receiver:
        outcome, _ = send(receiver.url + "?a=b%2F")
    assert outcome == Outcome(200, None)
    (heard,) = receiver.heard
    assert (heard.target, heard.body) == ("/hooks?a=b%2F", b"{}")
    assert heard.headers["host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize("code", [200, 201, 202, 204, 299])
def test_any_2xx_is_success(code: int) -> None:
    with receiving(status(code)) as receiver:
        assert send(receiver.url)[0] == Outcome(code, None)


@pytest.mark.parametrize("code", [300, 304, 400, 401, 404, 410, 418, 429, 500, 503, 599])
def test_any_other_status_is_a_failure(code: int) -> None:
    with receiving(status(code)) as receiver:
        assert send(receiver.url)[0] == Outcome(code, f"answered {code}")


def test_the_body_of_a_200_may_be_garbage() -> None:
    garbage = bytes(range(256)) * 4
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
    with receiving(answer(head + b"Content-Length: 1024\r\n\r\n" + garbage)) as receiver:
        assert send(receiver.url)[0] == Outcome(200, None)


def test_a_body_that_breaks_off_does_not_unsay_the_status() -> None:
    with receiving(answer(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nhal")) as receiver:
        assert send(receiver.url)[0] == Outcome(200, None)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    with receiving() as other, receiving(status(code, f"Location: {other.url}")) as receiver:
        assert send(receiver.url)[0] == Outcome(code, f"answered {code}")
        assert other.connections == 0


def test_a_receiver_that_hangs_is_given_up() -> None:
    with receiving() as receiver:
        receiver.behaviour = receiver.hang
        outcome, seconds = send(receiver.url)
    assert outcome == Outcome(None, "no answer within 1 s")
    assert seconds < 3


def test_headers_byte_by_byte_are_given_up() -> None:
    """Every single read is quick: only the whole is too slow."""
    with receiving() as receiver:
        receiver.behaviour = receiver.dribble(OK)
        outcome, seconds = send(receiver.url)
    assert outcome == Outcome(None, "no answer within 1 s")
    assert seconds < 3


def test_a_body_byte_by_byte_is_not_waited_for() -> None:
    head, body = b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", b"x" * 500

    with receiving() as receiver:
        slowly = receiver.dribble(body)
        receiver.behaviour = lambda peer, heard: (peer.sendall(head), slowly(peer, heard))[1]
        outcome, seconds = send(receiver.url)
    assert outcome == Outcome(200, None)
    assert seconds < 5


def test_of_an_endless_body_64_kib_are_read() -> None:
    sent = 0

    def flood(peer: object, _: object) -> None:
        nonlocal sent
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")  # type: ignore[attr-defined]
        while True:
            peer.sendall(b"x" * 65536)  # type: ignore[attr-defined]
            sent += 65536

    with receiving(flood) as receiver:
        outcome, seconds = send(receiver.url)
    assert outcome == Outcome(200, None)
    assert seconds < 3
    assert sent < 32 * 1024 * 1024, "what two sockets can hold, not what a receiver can send"


def test_endless_headers_are_given_up() -> None:
    def flood(peer: object, _: object) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n")  # type: ignore[attr-defined]
        while True:
            peer.sendall(b"X-Filler: " + b"x" * 1000 + b"\r\n")  # type: ignore[attr-defined]

    with receiving(flood) as receiver:
        outcome, seconds = send(receiver.url)
    assert outcome.status is None
    assert outcome.error
    assert seconds < 3


def test_endless_interim_answers_are_given_up() -> None:
    with receiving() as receiver:
        receiver.behaviour = receiver.dribble(b"HTTP/1.1 102 Processing\r\n\r\n" * 500, 0.001)
        outcome, seconds = send(receiver.url)
    assert outcome.status is None
    assert seconds < 3


@pytest.mark.parametrize(
    "raw", [b"", b"220 mail.example ESMTP\r\n", b"HTTP/1.1 twohundred OK\r\n\r\n", b"\0" * 99]
)
def test_what_is_no_http_is_a_failure(raw: bytes) -> None:
    with receiving(answer(raw)) as receiver:
        outcome, _ = send(receiver.url)
    assert outcome.status is None
    assert outcome.error
    assert "RemoteProtocolError" in outcome.error


def test_a_reset_is_a_failure() -> None:
    with receiving(reset) as receiver:
        outcome, _ = send(receiver.url)
    assert outcome.status is None
    assert outcome.error
    assert outcome.error.startswith(("ReadError", "RemoteProtocolError"))


def test_nobody_there_is_a_failure() -> None:
    with receiving() as receiver:
        url = receiver.url
    outcome, _ = send(url)
    assert outcome.status is None
    assert outcome.error
    assert outcome.error.startswith("ConnectError")


# --- where it may go -------------------------------------------------------------------------


async def _here(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [("http://{}", "https_is_required"), ("https://{}", "private_address")],
)
def test_this_machine_is_refused_unless_allowed(address: str, reason: str) -> None:
    with receiving() as receiver:
        url = address.format(f"127.0.0.1:{receiver.port}/")
        assert send(url, TargetPolicy())[0] == Outcome(None, f"target refused: {reason}")
        assert receiver.connections == 0


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["fe80::1%lo"]]
)
def test_a_name_for_this_machine_is_refused(addresses: list[str]) -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    with receiving() as receiver:
        url = f"https://hooks.example.com:{receiver.port}/"
        outcome, _ = send(url, TargetPolicy(), resolve=resolve)
        assert outcome == Outcome(None, "target refused: private_address")
        assert receiver.connections == 0


def test_a_name_is_resolved_once_and_that_address_is_connected_to() -> None:
    """A name server that gives another address the second time has no second time."""
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    with receiving() as receiver:
        outcome, _ = send(f"http://hooks.example.com:{receiver.port}/x", resolve=resolve)
    assert outcome == Outcome(200, None)
    assert asked == ["hooks.example.com"]
    assert receiver.heard[0].headers["host"] == f"hooks.example.com:{receiver.port}"


def test_the_next_address_is_tried_where_nobody_listens() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]

    with receiving() as receiver:
        url = f"http://hooks.example.com:{receiver.port}/"
        assert send(url, resolve=resolve)[0] == Outcome(200, None)
        assert receiver.connections == 1


def test_a_name_server_that_hangs_or_knows_nothing() -> None:
    async def hang(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    async def unknown(_host: str, _port: int) -> Sequence[str]:
        return []

    url = "http://hooks.example.com/"
    outcome, seconds = send(url, resolve=hang)
    assert outcome == Outcome(None, "no answer within 1 s")
    assert seconds < 3
    assert send(url, resolve=unknown)[0] == Outcome(None, "the name has no address")
    outcome, _ = send("http://no-such-name.invalid/")
    assert outcome.error
    assert outcome.error.startswith("name not resolved")


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would connect wherever it is asked to, for a name that it resolves itself."""
    with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            monkeypatch.setenv(name.lower(), f"http://127.0.0.1:{proxy.port}")
        assert send(receiver.url)[0] == Outcome(200, None)
        assert (proxy.connections, receiver.connections) == (0, 1)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of hooks.example.com, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=hooks.example.com"),
        *("-addext", "subjectAltName=DNS:hooks.example.com"),
        *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
    ]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs openssl")
    return folder


def secured(receiver: Receiver, name: str, trusted: ssl.SSLContext) -> Outcome:
    url = f"https://{name}:{receiver.port}/"
    return send(url, resolve=_here, tls=trusted)[0]


def test_tls_verifies_the_name_not_the_address(certificate: Path) -> None:
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    names: list[str | None] = []
    theirs.sni_callback = lambda _socket, name, _context: names.append(name)
    trusting = ssl.create_default_context(cafile=str(certificate / "cert.pem"))
    with receiving(tls=theirs) as receiver:
        assert secured(receiver, "hooks.example.com", trusting) == Outcome(200, None)
        assert names == ["hooks.example.com"]
        wrong_name = secured(receiver, "other.example.com", trusting)
        stranger = secured(receiver, "hooks.example.com", ssl.create_default_context())
        assert len(receiver.heard) == 1
    for outcome in (wrong_name, stranger):
        assert outcome.status is None
        assert outcome.error
        assert "CERTIFICATE_VERIFY_FAILED" in outcome.error
