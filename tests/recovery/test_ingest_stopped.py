"""SIGTERM under load: what was read is answered, what was acknowledged is stored, the rest can be
repeated."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from endpoint_world import counter, until
from ingest_clients import Log, storming, until_answered
from ingest_machine import Machine, is_gone, pause, running_machine

REQUESTS = 40
_ESTABLISHED = "01"


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with running_machine() as machine:
        yield machine


def _request(key: str, body: bytes, length: int | None = None) -> bytes:
    head = [
        "POST /api/v1/usage HTTP/1.1",
        "Host: here",
        f"Authorization: Bearer {key}",
        "Content-Type: application/json",
        f"Content-Length: {len(body) if length is None else length}",
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def _unread(port: int) -> list[int]:
    """Bytes that the endpoint has not read yet, by connection that it holds open on its port."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [
        int(line[4].partition(":")[2], 16)
        for line in lines
        if line[1].endswith(f":{port:04X}") and line[3] == _ESTABLISHED
    ]


def _answer(connection: socket.socket) -> bytes:
    """All that comes until the endpoint hangs up."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_requests_that_were_read_are_answered(machine: Machine) -> None:
    """Forty requests stand before a lock when the stop comes: two lanes a worker, the rest queued
    behind them. Every one is answered 200 and stored, then the workers are gone."""
    machine.heal()
    key = machine.key_of_new_service("stopped")
    workers = machine.workers
    address = ("127.0.0.1", machine.port)
    with psycopg.connect(machine.database_url) as blocker:
        blocker.execute("lock table raw.usage_counter in access exclusive mode")
        connections = [socket.create_connection(address, 30) for _ in range(REQUESTS)]
        for number, connection in enumerate(connections):
            rows = [counter(1000 * number + row) for row in range(1 + number % 3 * 100)]
            connection.sendall(_request(key, json.dumps({"counters": rows}).encode()))
        until(lambda: _unread(machine.port) == [0] * REQUESTS)
        os.kill(machine.supervisor, 15)
        until(lambda: _refuses(machine.port))
        blocker.rollback()
    answers = [_answer(connection) for connection in connections]
    for connection in connections:
        connection.close()
    statuses = Counter(answer.split(b"\r\n")[0] for answer in answers)
    assert statuses == {b"HTTP/1.1 200 OK": REQUESTS}
    assert machine.stop_endpoint() == 0
    assert all(map(is_gone, workers))
    assert len(_stored(machine, "stopped")) == sum(1 + n % 3 * 100 for n in range(REQUESTS))


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return True
    return False


@pytest.mark.parametrize("seed", range(5))
def test_a_stop_at_any_moment_loses_nothing(machine: Machine, seed: int) -> None:
    """The clients see hang-ups at most, and repeat them against the next process."""
    print(f"seed {seed}: python -m pytest '{__file__}::{_NAME}[{seed}]'")
    machine.heal()
    service = f"restarted{seed}"
    key = machine.key_of_new_service(service)
    dice = random.Random(seed)
    log = Log()
    with storming(machine.port, key, log, seed):
        until_answered(log)
        pause(dice.uniform(0, 0.4))
        started = time.monotonic()
        assert machine.stop_endpoint() == 0
        assert time.monotonic() - started < 10
        acknowledged = log.snapshot()
        assert acknowledged <= set(_stored(machine, service))
        machine.heal()
        until_answered(log)
    assert log.answers["503"] == 0, "PostgreSQL was there all the time"
    assert Counter(_stored(machine, service)) == Counter(log.sent)


_NAME = test_a_stop_at_any_moment_loses_nothing.__name__


@pytest.mark.slow
def test_clients_that_never_finish_do_not_keep_it_from_stopping(machine: Machine) -> None:
    """Half-sent heads and bodies hold a stop up for thirty seconds at the very most."""
    machine.heal()
    key = machine.key_of_new_service("dawdlers")
    whole = _request(key, b'{"counters"', length=1000)
    address = ("127.0.0.1", machine.port)
    connections = [socket.create_connection(address, 60) for _ in range(100)]
    for number, connection in enumerate(connections):
        connection.sendall(whole if number % 2 else whole[:40])
    until(lambda: _unread(machine.port) == [0] * len(connections))
    started = time.monotonic()
    assert machine.stop_endpoint() == 0
    assert time.monotonic() - started < 35
    for connection in connections:
        connection.close()


def _stored(machine: Machine, service: str) -> list[str]:
    with psycopg.connect(machine.database_url) as connection:
        rows = connection.execute(
            "select transaction_id from raw.usage_counter where service_code = %s", [service]
        )
        return [transaction_id for (transaction_id,) in rows]
