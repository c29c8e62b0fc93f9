"""Vectors of the HTTP API: each is sent by a service of its own to a real endpoint."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from vectors import Vector, VectorError, only

from ingest import keys
from ingest.api.rows import MOST_ITEMS
from warehouse.engine import make_engine
from warehouse.settings import REPOSITORY

_LAGOS_BATCH = 100
_SECONDS = 30
_RUN = """
import os
from ingest.api.server import serve
from warehouse.settings import Settings
serve(Settings(_env_file=None), os.environ["URL"], host="127.0.0.1", port=int(os.environ["PORT"]))
"""
_CUSTOMER = re.compile(r"/customers/([^/?]+)/")

Compared = list[tuple[str, Any, Any, bool]]


class EndpointError(Exception):
    """The endpoint did not start; its last words."""


def service_of(vector: Vector) -> str:
    return f"api{vector.position}"


def customer_of(vector: Vector) -> str | None:
    """The customer whose usage is asked for: it has to be known for the question to make sense."""
    request = vector.record.get("request")
    if vector.record.get("expected_status") == 404:
        return None
    found = _CUSTOMER.search(str(request.get("path"))) if isinstance(request, dict) else None
    return found.group(1) if found else None


@contextmanager
def endpoint(database_url: str, folder: Path) -> Iterator[httpx.Client]:
    """An endpoint that refuses duplicates as Lago does; a client without a key."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "endpoint.log"
    strict = {"LAGO_STRICT_DUPLICATES": "true", "FUSION_HOME": str(folder)}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN],
            cwd=REPOSITORY,
            env=os.environ | {"URL": database_url, "PORT": str(port)} | strict,
            stdout=sink,
            stderr=sink,
        )
    # Plain HTTP on loopback: no bundle of certificates to load.
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, verify=tls) as client:
            _until_it_answers(client, process, log)
            yield client
    finally:
        process.terminate()
        process.wait(20)


def _until_it_answers(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline, pause = time.monotonic() + _SECONDS, threading.Event()
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if client.get("/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        pause.wait(0.05)
    raise EndpointError(f"the endpoint does not answer: {log.read_text()[-500:]}")


def answer(vector: Vector, client: httpx.Client, database_url: str) -> Compared:
    """What the vector expects of the answer, what it was, and whether they agree."""
    engine = make_engine(database_url)
    try:
        keys.add_service(engine, service_of(vector), "Conformance")
        key = keys.create_key(engine, service_of(vector))
    finally:
        engine.dispose()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for event in _stored_before(vector):
        stored = client.post("/api/v1/events", content=_json({"event": event}), headers=headers)
        if stored.status_code != 200:
            raise VectorError(f"precondition: {stored.status_code} {stored.text}")
    if "timestamp_in" in vector:
        sent = _event("tx1") | {"timestamp": vector.take("timestamp_in")}
        return _compare(
            vector, client.post("/api/v1/events", content=_json({"event": sent}), headers=headers)
        )
    request = only(vector.need("request"), ("method", "path", "body", "headers"), "request")
    headers |= request.get("headers") or {}
    body = request.get("body")
    content = None if body is None else _json(_body(body))
    return _compare(
        vector, client.request(request["method"], request["path"], headers=headers, content=content)
    )


def _json(body: object) -> bytes:
    """The body with every number as the vector's file has it."""
    return msgspec.json.Encoder(decimal_format="number").encode(body)


def _stored_before(vector: Vector) -> list[dict[str, Any]]:
    said = vector.take("precondition")
    if said is None:
        return []
    if many := re.fullmatch(r"(no|\d+) events?", str(said)):
        count = 0 if many.group(1) == "no" else int(many.group(1))
        return [_event(f"stored{number}") for number in range(count)]
    if one := re.fullmatch(r"(\w+) stored", str(said)):
        return [_event(one.group(1))]
    raise VectorError(f"unknown precondition: {said!r}")


def _body(body: Any) -> Any:
    """The body with what a vector abbreviates: transaction ids for whole events, and a number of
    valid events. One more than Lago's limit is one more than ours."""
    if not isinstance(body, dict) or "events" not in body:
        return body
    events = body["events"]
    if isinstance(events, str):
        many = re.fullmatch(r"(\d+) valid events?", events)
        if not many:
            raise VectorError(f"unknown events: {events!r}")
        count = int(many.group(1))
        count += MOST_ITEMS - _LAGOS_BATCH if count > _LAGOS_BATCH else 0
        events = [f"tx{number}" for number in range(count)]
    return body | {"events": [_event(one) if isinstance(one, str) else one for one in events]}


def _event(transaction_id: str) -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "external_subscription_id": "sub1",
        "code": "api_calls",
        "timestamp": 1_700_000_000,
        "properties": {"foo": "bar"},
    }


def _compare(vector: Vector, response: httpx.Response) -> Compared:
    try:
        body = response.json()
    except ValueError:
        body = response.text
    got: dict[str, Any] = {
        "expected_status": response.status_code,
        "expected_body": body,
        "expected_body_contains": body,
    }
    if isinstance(body, dict):
        got["expected_error_details"] = body.get("error_details")
        got["expected_meta"] = body.get("meta")
        event = body.get("event")
        stamp = event.get("timestamp") if isinstance(event, dict) else None
        got["expected_timestamp_prefix"] = got["expected_timestamp"] = stamp
    compared: Compared = []
    for name, seen in got.items():
        if name not in vector:
            continue
        wanted = vector.take(name)
        if name == "expected_body_contains":
            agrees = _contains(seen, wanted)
        elif name == "expected_timestamp_prefix":
            agrees = isinstance(seen, str) and seen.startswith(wanted)
        else:
            agrees = seen == wanted
        compared.append((name, wanted, seen, agrees))
    return compared


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and _contains(whole[name], value) for name, value in part.items()
        )
    if isinstance(part, list):
        return (
            isinstance(whole, list)
            and len(whole) == len(part)
            and all(_contains(*pair) for pair in zip(whole, part, strict=True))
        )
    return bool(whole == part)
