"""Source apps under load: each sends batches and single events, repeats whatever failed, and keeps
a log of what was acknowledged. Some requests they cut off themselves."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from typing import Any

from endpoint_world import until

CLIENTS = 4
SHARED = 400  # items that every client may send: the same payload, so concurrent duplicates
GIVE_UP_SECONDS = 60  # for one request and its repetitions
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


@dataclass
class Log:
    """What the clients know. All ids are in `sent` before their first byte leaves."""

    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    accepted: int = 0  # rows that answers called new
    answers: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def snapshot(self) -> set[str]:
        with self.lock:
            return set(self.acknowledged)

    def count(self, what: str) -> None:
        with self.lock:
            self.answers[what] += 1


def units(transaction_id: str) -> Decimal:
    """The value of the item with this id: told apart by its digits, so that a sum tells a lot."""
    number = int(transaction_id.rpartition("-")[2])
    return Decimal(number * 7919 % 1_000_003) / 1024 + 1


def _item(transaction_id: str) -> dict[str, Any]:
    """A counter (ids that begin with c) or an event (e), the same for the same id."""
    number = int(transaction_id.rpartition("-")[2])
    moment = 1_700_000_000 + 60 * number
    common = {
        "transaction_id": transaction_id,
        "external_subscription_id": f"sub{number % 5}",
        "code": "compute_hours",
    }
    value = str(units(transaction_id))
    if transaction_id.startswith("c"):
        return common | {"from": moment, "to": moment + 60, "value": value}
    return common | {"timestamp": moment, "properties": {"units": value}}


@contextmanager
def storming(port: int, key: str, log: Log, seed: int) -> Iterator[threading.Event]:
    """Clients for the time of the block. The event stops new requests; at the end of the block
    those under way are repeated until acknowledged. Raises what a client stumbled over."""
    enough = threading.Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients: list[Future[None]] = [
            pool.submit(_Client(port, key, log, seed, number).run, enough)
            for number in range(CLIENTS)
        ]
        try:
            yield enough
        finally:
            enough.set()
    for client in clients:
        client.result()


def until_answered(log: Log) -> None:
    """Waits until one more request has been acknowledged: the load has (again) begun."""
    before = log.answers["200"]
    until(lambda: log.answers["200"] > before, seconds=30)


class _Client:
    def __init__(self, port: int, key: str, log: Log, seed: int, number: int) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=15)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._log = log
        self._dice = random.Random(f"{seed}/{number}")
        self._number = number
        self._items = 0

    def run(self, enough: threading.Event) -> None:
        while not enough.is_set():
            self._post_until_acknowledged(*self._draw())
        self._http.close()

    def _draw(self) -> tuple[str, str, list[str]]:
        """Route, root key, ids. Above 100 rows the endpoint takes its other way, COPY."""
        route, root = self._dice.choice(
            [("/usage", "counters"), ("/events/batch", "events"), ("/events", "event")]
        )
        kind = "c" if root == "counters" else "e"
        most = 1 if root == "event" else self._dice.choice((5, 90, 400))
        ids = [self._fresh_id(kind) for _ in range(self._dice.randint(1, most))]
        if self._dice.random() < 0.3:
            own = self._dice.randint(0, len(ids))
            shared = self._dice.sample(range(SHARED), min(len(ids) - own, SHARED))
            ids[own:] = [f"{kind}-shared-{number}" for number in shared]
        self._dice.shuffle(ids)
        return route, root, ids

    def _fresh_id(self, kind: str) -> str:
        self._items += 1
        return f"{kind}-{self._number}-{self._items}"

    def _post_until_acknowledged(self, route: str, root: str, ids: Sequence[str]) -> None:
        with self._log.lock:
            self._log.sent.update(ids)
        items = [_item(transaction_id) for transaction_id in ids]
        body = json.dumps({root: items[0] if root == "event" else items}).encode()
        deadline = time.monotonic() + GIVE_UP_SECONDS
        while not self._attempt(route, body, ids):
            assert time.monotonic() < deadline, "a request was never acknowledged"
            threading.Event().wait(self._dice.uniform(0.01, 0.1))

    def _attempt(self, route: str, body: bytes, ids: Sequence[str]) -> bool:
        """Sends once; whether it was acknowledged."""
        manner = self._dice.random()
        try:
            if manner < 0.08:
                self._drop(route, body[: self._dice.randrange(len(body))], len(body))
                return False
            if manner < 0.16:
                self._drop(route, body, len(body))
                return False
            self._http.request("POST", f"/api/v1{route}", body, self._headers)
            response = self._http.getresponse()
            content = response.read()
        except (OSError, HTTPException) as error:
            self._log.count(type(error).__name__)
            self._http.close()
            return False
        self._log.count(str(response.status))
        if response.status == 503:
            assert int(response.headers["Retry-After"]) >= 1
        if response.status >= 500:
            return False
        assert response.status == 200, (response.status, content)
        self._acknowledge(json.loads(content), ids)
        return True

    def _drop(self, route: str, body: bytes, length: int) -> None:
        """Sends a request, whole or not, and hangs up instead of waiting: with FIN or with RST."""
        head = [f"POST /api/v1{route} HTTP/1.1", "Host: here", f"Content-Length: {length}"]
        head += [f"{name}: {value}" for name, value in self._headers.items()]
        with socket.create_connection((self._http.host, self._http.port), 15) as connection:
            connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
            if self._dice.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._log.count("dropped" if len(body) < length else "unread")

    def _acknowledge(self, answer: dict[str, Any], ids: Sequence[str]) -> None:
        if "usage" in answer:
            accepted, duplicates = answer["usage"]["accepted"], answer["usage"]["duplicates"]
        else:
            events = answer.get("events") or [answer["event"]]
            assert [event["transaction_id"] for event in events] == list(ids)
            duplicates = sum(event.get("duplicate", False) for event in events)
            accepted = len(events) - duplicates
        assert accepted + duplicates == len(ids)
        with self._log.lock:
            self._log.accepted += accepted
            self._log.acknowledged.update(ids)
