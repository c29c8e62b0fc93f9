"""The demo's traffic against the real endpoint, process and PostgreSQL."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ingest.keys import add_service, create_key
from sandbox.catalogue import SERVICES
from sandbox.model import LATE, World
from sandbox.traffic import (
    Post,
    PostCounts,
    TrafficError,
    expected_counts,
    post_traffic,
    posts,
)
from sandbox.usage import UsageKey, expected_usage

_SERVE = """
import os
from ingest.api.server import serve
from warehouse.settings import Settings
serve(Settings(_env_file=None), os.environ["URL"], host="127.0.0.1", port=int(os.environ["PORT"]))
"""


@pytest.fixture(scope="module")
def endpoint(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The endpoint's process; yields its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("endpoint") / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            cwd=Path(__file__).resolve().parents[2],
            env=os.environ | {"URL": database_url, "PORT": str(port)},
            stderr=sink,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/health", process, log)
        yield f"http://127.0.0.1:{port}/api/billing/v1"
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    pause = threading.Event()
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        pause.wait(0.05)


@pytest.fixture(scope="module")
def keys(engine: Engine) -> dict[str, str]:
    for service in SERVICES:
        add_service(engine, service, service.title())
    return {service: create_key(engine, service) for service in SERVICES}


def test_the_whole_demo_is_accepted_once(
    world: World, endpoint: str, keys: dict[str, str], engine: Engine
) -> None:
    """Three batches go out twice, two single posts contradict what was sent, ten arrive late.
    Then PostgreSQL, adding up what it stored, agrees with what the apps say they counted."""
    initial, late = list(posts(world)), list(posts(world, phase=LATE))
    counts = post_traffic(endpoint, keys, initial)

    assert counts == expected_counts(initial)
    assert (counts.duplicate, counts.rejected) == (3000, 2)
    assert counts.posted == counts.accepted + 3000 + 2
    assert _usage_in_sql(engine) == expected_usage(world, include_late=False)

    assert post_traffic(endpoint, keys, late) == PostCounts(posted=10, accepted=10)
    assert _usage_in_sql(engine) == expected_usage(world, include_late=True)

    again = post_traffic(endpoint, keys, late, connections=2)
    assert again == PostCounts(posted=10, duplicate=10)
    with engine.connect() as connection:
        stored = connection.execute(sa.text("select count(*) from raw.usage_counter"))
        refused = connection.execute(sa.text("select count(*) from raw.event_conflict"))
        assert stored.scalar_one() == counts.accepted + 10
        assert refused.scalar_one() == 2


def _usage_in_sql(engine: Engine) -> dict[UsageKey, Decimal]:
    """Calendar subscriptions only, the unknown ones left out."""
    statement = sa.text("""
        with placed as (
            select *,
                service_code || ':' || external_subscription_id as key,
                date_trunc('month', window_start at time zone 'America/Toronto')::date as month,
                kind <> 'event' and revision < max(revision) over (
                    partition by service_code, external_subscription_id, code, kind,
                        window_start, window_end
                ) as superseded
            from raw.usage_counter
            where service_code <> 'nexaclub' and code <> 'tile_exports'
                and external_subscription_id <> 'nm-sub-9999'
        )
        select key, code, month,
            case code
                when 'storage_gb' then max(value)
                when 'agents' then count(distinct properties ->> 'agent_id')
                when 'geocodes' then count(*)
                else sum(value)
            end as used
        from placed where not superseded group by 1, 2, 3
    """)
    with engine.connect() as connection:
        rows = connection.execute(statement)
        return {(row.key, row.code, row.month): row.used for row in rows}


def test_one_month_at_a_time_is_the_same_traffic(world: World) -> None:
    whole = sum(post.counters for post in posts(world) if post.stage == 0)
    by_month = [
        sum(post.counters for post in posts(world, months=[month]) if post.stage == 0)
        for month in world.months
    ]
    assert sum(by_month) == whole
    assert all(by_month)


def test_a_wrong_key_stops_the_traffic(world: World, endpoint: str) -> None:
    nobody = dict.fromkeys(SERVICES, "fb_not_a_key")
    with pytest.raises(TrafficError, match=r"^POST /usage as nexa\w+: 401 "):
        post_traffic(endpoint, nobody, posts(world, phase=LATE))


class _Overloaded(BaseHTTPRequestHandler):
    """Says 503, drops a connection, then accepts."""

    attempts = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).attempts += 1
        if self.attempts == 2:
            self.connection.close()
            return
        status = 503 if self.attempts == 1 else 200
        accepted = len(body["counters"])
        answer = json.dumps({"usage": {"accepted": accepted, "duplicates": 0}}).encode()
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


def test_an_overloaded_endpoint_is_tried_again() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Overloaded)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        post = Post("nexacloud", "/usage", b'{"counters": [1, 2]}', 2)
        assert post_traffic(url, {"nexacloud": "k"}, [post]) == PostCounts(posted=2, accepted=2)
        assert _Overloaded.attempts == 3
    finally:
        server.shutdown()
        server.server_close()
