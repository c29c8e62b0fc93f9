"""`fusion-billing webhook`: list, dead, replay and deliver, against a receiver on this machine."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import psycopg
import pytest
from command_line import fusion_billing


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def receiver() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_what_is_due_is_sent_and_what_died_is_replayed(
    env: dict[str, str], database_url: str, receiver: str
) -> None:
    allowed = env | {"WEBHOOK_ALLOW_PRIVATE": "true"}
    assert fusion_billing("service", "add", "hooked", env=env).status == 0
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "insert into ops.webhook_endpoint (service_code, url, signature_algo, secret)"
            " values ('hooked', %s, 'hmac', %s)",
            [receiver, "whsec_" + base64.b64encode(bytes(32)).decode()],
        )
        assert fusion_billing("webhook", "deliver", env=allowed).status == 0
        connection.execute(
            "insert into raw.odoo_subscription (id, write_date, record) values (1, now(),"
            """ '{"state": "sale", "x_fc_service_code": "hooked", "x_fc_external_id": "s"}')"""
        )
        would = fusion_billing("webhook", "deliver", "--dry-run", "--format", "json", env=allowed)
        assert would.json() == {
            "events": {"subscription.started": 1},
            "to_endpoints": 1,
            "history_unheard": 0,
            "due": 1,
        }
        # Made while it was allowed, and it is not any more.
        refused = fusion_billing("webhook", "deliver", "--format", "json", env=env)
        assert refused.json()["failed"] == 1
        assert fusion_billing("webhook", "dead", env=env).stdout.strip() == "Dead letters: none"
        connection.execute("update ops.webhook_delivery set state = 'dead'")
        (letter,) = fusion_billing("webhook", "dead", "--format", "json", env=env).json()
        assert letter["last_error"] == "target refused: https_is_required"
        assert "secret" not in letter
        listed = fusion_billing("webhook", "list", "--service", "hooked", env=env)
        assert letter["event_id"] in listed.stdout
        for name, count in (("nobody", 0), ("hooked", 1)):
            replayed = fusion_billing(
                *("webhook", "replay", "--service", name, "--dry-run", "--format", "json"),
                env=env,
            )
            assert replayed.json() == {"due_again": count}
        assert fusion_billing("webhook", "replay", letter["event_id"], env=env).status == 0
        assert fusion_billing("webhook", "replay", letter["event_id"], env=env).status == 1
        sent = fusion_billing("webhook", "deliver", "--format", "json", env=allowed).json()
        assert (sent["delivered"], sent["dead"]) == (1, 0)
        (delivered,) = fusion_billing("webhook", "list", "--format", "json", env=env).json()
        assert (delivered["state"], delivered["last_status"]) == ("delivered", 204)
