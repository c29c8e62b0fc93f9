"""The job `webhooks`: emits, delivers to a real receiver, shows and replays dead letters."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import dagster as dg
import psycopg
import pytest

from ingest.keys import add_service
from warehouse.engine import make_engine


class Receiver(ThreadingHTTPServer):
    status = 200
    heard: list[str]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = self.server
        assert isinstance(server, Receiver)
        server.heard.append(self.headers["X-Lago-Unique-Key"])
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(server.status)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver(("127.0.0.1", 0), _Handler) as server:
        server.heard = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def run(defs: dg.Definitions, **config: Any) -> dict[str, Any]:
    """The metadata of one run."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("webhooks").execute_in_process(
            instance=instance,
            run_config={
                "ops": {"ops__webhook_delivery": {"config": config}},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )
    (materialization,) = result.asset_materializations_for_node("ops__webhook_delivery")
    return {name: found.value for name, found in materialization.metadata.items()}


def test_the_job_tells_and_replays(
    defs: dg.Definitions,
    dagster_database_url: str,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEBHOOK_ALLOW_PRIVATE", "true")
    engine = make_engine(dagster_database_url)
    add_service(engine, "hooked", "Hooked")
    engine.dispose()
    url = f"http://127.0.0.1:{receiver.server_port}/"
    with psycopg.connect(dagster_database_url, autocommit=True) as connection:
        connection.execute(
            "insert into ops.webhook_endpoint (service_code, url, signature_algo, secret,"
            " created_at) values ('hooked', %s, 'hmac', %s, now() - interval '1 hour')",
            [url, "whsec_" + base64.b64encode(bytes(32)).decode()],
        )
        assert run(defs)["events"] == {}
        connection.execute(
            "insert into raw.odoo_subscription (id, write_date, record) values (987654, now(),"
            """ '{"state": "sale", "x_fc_service_code": "hooked", "x_fc_external_id": "s"}')"""
        )
        receiver.status = 500
        first = run(defs)
        assert (first["events"], first["failed"]) == ({"subscription.started": 1}, 1)
        connection.execute("update ops.webhook_delivery set state = 'dead'")
        second = run(defs)
        assert (second["delivered"], second["failed"]) == (0, 0)
        (letter,) = second["dead letters"]
        assert letter.endswith(f"subscription.started {url}: answered 500")
        receiver.status = 200
        third = run(defs, replay_dead=True)
        assert (third["replayed"], third["delivered"], third["dead letters"]) == (1, 1, [])
        assert len(receiver.heard) == 2
        assert len(set(receiver.heard)) == 1
        connection.execute("delete from raw.odoo_subscription where id = 987654")
