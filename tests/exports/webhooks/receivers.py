"""Receivers of webhooks on real sockets, well behaved and not, and events on their way to them."""

from __future__ import annotations

import base64
import contextlib
import itertools
import secrets
import socket
import ssl
import struct
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ingest.keys import add_service

_numbers = itertools.count(1)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@dataclass(frozen=True)
class Heard:
    """One request as it came over the wire."""

    target: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def key(self) -> str:
        return self.headers["webhook-id"]


Behaviour: TypeAlias = Callable[[socket.socket, Heard], None]


def answer(raw: bytes) -> Behaviour:
    """Sends these bytes and closes."""
    return lambda peer, _: peer.sendall(raw)


def status(code: int, *headers: str) -> Behaviour:
    lines = [f"HTTP/1.1 {code} Whatever", "Content-Length: 0", *headers]
    return answer("\r\n".join([*lines, "", ""]).encode())


def reset(peer: socket.socket, _: Heard) -> None:
    """Hangs up the hard way."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@dataclass
class Receiver:
    """An HTTP server that notes every request and then does what it was told to."""

    port: int
    behaviour: Behaviour
    closing: threading.Event
    heard: list[Heard] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    @property
    def keys(self) -> list[str]:
        return [one.key for one in self.heard]

    def serve(self, peer: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            with peer, contextlib.suppress(OSError, ValueError):
                peer.settimeout(30)
                heard = _read(peer)
                with self._lock:
                    self.heard.append(heard)
                self.behaviour(peer, heard)
        finally:
            with self._lock:
                self.at_once -= 1

    def hang(self, peer: socket.socket, _: Heard) -> None:
        """A behaviour: no answer until the sender gives up."""
        peer.recv(1)

    def dribble(self, raw: bytes, seconds: float = 0.05) -> Behaviour:
        """Answers byte by byte."""

        def send(peer: socket.socket, _: Heard) -> None:
            for byte in raw:
                peer.sendall(bytes([byte]))
                if self.closing.wait(seconds):
                    return

        return send


def _read(peer: socket.socket) -> Heard:
    data = b""
    while b"\r\n\r\n" not in data:
        part = peer.recv(65536)
        if not part:
            raise ValueError("hung up")
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers["content-length"]):
        body += peer.recv(65536)
    return Heard(first.split(" ")[1], headers, body, time.monotonic())


@contextmanager
def receiving(
    behaviour: Behaviour | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[Receiver]:
    """A receiver that says 200 unless told otherwise, on a port of its own."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        receiver = Receiver(listener.getsockname()[1], behaviour or answer(OK), threading.Event())

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    peer, _ = listener.accept()
                    threading.Thread(target=_greet, args=(peer,), daemon=True).start()

        def _greet(peer: socket.socket) -> None:
            with contextlib.suppress(OSError):
                receiver.serve(tls.wrap_socket(peer, server_side=True) if tls else peer)

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield receiver
        finally:
            receiver.closing.set()
            listener.shutdown(socket.SHUT_RDWR)


@dataclass
class App:
    """A service with endpoints, and events that are written down for it."""

    engine: Engine
    code: str

    @classmethod
    def make(cls, engine: Engine) -> App:
        code = f"hooks{next(_numbers)}"
        add_service(engine, code, code)
        return cls(engine, code)

    def endpoint(
        self, url: str, event_types: list[str] | None = None, *, hours: int = 0
    ) -> uuid.UUID:
        """Made so many hours from now."""
        secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        with self.engine.begin() as connection:
            found: uuid.UUID = connection.execute(
                sa.text(
                    "insert into ops.webhook_endpoint"
                    " (service_code, url, signature_algo, event_types, secret, created_at)"
                    " values (:code, :url, 'hmac', :types, :secret,"
                    " clock_timestamp() + make_interval(hours => :hours)) returning endpoint_id"
                ),
                {
                    "code": self.code,
                    "url": url,
                    "types": event_types,
                    "secret": secret,
                    "hours": hours,
                },
            ).scalar_one()
        return found

    def secret(self) -> str:
        return str(self.one("select secret from ops.webhook_endpoint where service_code = :code"))

    def event(self, subscription: str = "sub_1", payload: str = '{"webhook_type":"x"}') -> str:
        """Writes an event down for all endpoints that there are; its unique key."""
        with self.engine.begin() as connection:
            row = connection.execute(
                sa.text(
                    "insert into ops.webhook_event (source_key, service_code, webhook_type,"
                    " subject, fact, ordering_key, payload) values (:key, :code,"
                    " 'subscription.started', :subject, 'started', :subject, :payload)"
                    " returning event_id, event_no"
                ),
                {
                    "key": uuid.uuid4().hex,
                    "code": self.code,
                    "subject": f"subscription:{subscription}",
                    "payload": payload,
                },
            ).one()
            connection.execute(
                sa.text(
                    "insert into ops.webhook_delivery"
                    " (event_id, endpoint_id, event_no, ordering_key)"
                    " select :event, endpoint_id, :number, :key from ops.webhook_endpoint"
                    " where service_code = :code"
                ),
                {
                    "event": row.event_id,
                    "number": row.event_no,
                    "key": f"subscription:{subscription}",
                    "code": self.code,
                },
            )
        return str(row.event_id)

    def one(self, statement: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(sa.text(statement), {"code": self.code}).scalar_one()

    def deliveries(self, columns: str = "state, attempts, last_status, last_error") -> list[Any]:
        """By event, then endpoint in the order of making."""
        with self.engine.connect() as connection:
            return [
                tuple(row)
                for row in connection.execute(
                    sa.text(
                        f"select {columns} from ops.webhook_delivery"
                        " inner join ops.webhook_endpoint using (endpoint_id)"
                        " where service_code = :code order by event_no, created_at"
                    ),
                    {"code": self.code},
                )
            ]

    def hurry(self) -> None:
        """As if the wait for the next attempt, and any lease, were over."""
        self._set("next_attempt_at = clock_timestamp(), leased_until = null")

    def lapse(self) -> None:
        """As if a lease of a minute had run out."""
        self._set("leased_until = clock_timestamp()")

    def _set(self, change: str) -> None:
        with self.engine.begin() as connection:
            connection.execute(
                sa.text(
                    f"update ops.webhook_delivery set {change} where state = 'pending'"
                    " and endpoint_id in (select endpoint_id from ops.webhook_endpoint"
                    " where service_code = :code)"
                ),
                {"code": self.code},
            )
