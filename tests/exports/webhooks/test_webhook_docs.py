"""The receivers of docs/webhooks.md hear what is sent, and refuse what is not genuine."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from receivers import App
from sqlalchemy.engine import Engine

from exports.webhooks.delivery import Delivered, deliver
from exports.webhooks.sending import Sender
from exports.webhooks.signing import headers
from warehouse.webhooks import TargetPolicy

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "webhooks.md").read_text()
TLS = ssl.create_default_context()
BODY = '{"webhook_type":"invoice.created","object_type":"invoice","invoice":{"lago_id":"É1"}}'


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@contextmanager
def listening(command: list[str], secret: str, port: int) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command,
        env=os.environ | {"WEBHOOK_SECRET": secret, "PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            assert process.poll() is None, "the receiver did not start"
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the receiver does not listen"
        yield process
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_the_receiver_of_the_page(app: App, engine: Engine, language: str, tmp_path: Path) -> None:
    script = tmp_path / {"python": "receiver.py", "typescript": "receiver.mjs"}[language]
    script.write_text(block(language))
    runner = {"python": sys.executable, "typescript": shutil.which("node")}[language]
    if runner is None:
        pytest.skip("needs node")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/hooks"
    app.endpoint(url)
    app.event(payload=BODY)
    secret = app.secret()
    with listening([runner, str(script)], secret, port) as process:
        sender = Sender(TargetPolicy(True, True), TLS)
        assert deliver(engine, sender) == Delivered(1, 0, 0, 0)

        def status(body: str, **changes: str) -> int:
            """Of one more request, signed now, with these changes."""
            genuine = headers(secret, "id", int(time.time()), BODY.encode())
            sent = genuine | {name.replace("_", "-"): value for name, value in changes.items()}
            with httpx.Client(verify=TLS) as client:
                return client.post(url, content=body.encode(), headers=sent).status_code

        old = str(int(time.time()) - 3600)
        late = headers(secret, "id", int(old), BODY.encode())["webhook-signature"]
        good = headers(secret, "id", int(time.time()), BODY.encode())["webhook-signature"]
        assert status(BODY) == 204
        assert status(BODY) == 204, "a repeat is heard and does nothing"
        assert status(BODY, webhook_signature=f"v1,bm9wZQ== {good}") == 204
        assert status(BODY.replace("É1", "É2")) == 401
        assert status(BODY, webhook_id="other") == 401
        assert status(BODY, webhook_timestamp="now") == 401
        assert status(BODY, webhook_timestamp=old, webhook_signature=late) == 401
        assert status(BODY, webhook_signature="v1,") == 401
        process.kill()
        assert process.stdout
        assert process.stdout.read().splitlines() == ["invoice.created É1"] * 2
