"""What a person reads when Odoo's settings are wrong: a line, the variable, the next step."""

from __future__ import annotations

import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from odoo_gateway.connect import connect, connect_from
from odoo_gateway.errors import OdooError, OdooRefusedError, OdooTransientError
from odoo_gateway.json2_client import Json2Client
from odoo_gateway.odoorpc_client import OdooRpcClient
from odoo_gateway.retries import PAUSES
from sandbox.odoo.launch import running_double
from warehouse.settings import OdooTransport, Settings

KEY = "s3cret-key-of-odoo"


def _settings(**values: str | None) -> Settings:
    return Settings.model_validate({"odoo_url": None, "odoo_api_key": None, **values})


def _said(error: OdooError) -> str:
    text = str(error)
    assert "\n" not in text
    assert KEY not in text
    return text


def test_settings_name_what_is_missing() -> None:
    with pytest.raises(OdooRefusedError, match="ODOO_URL is not set") as url:
        connect_from(_settings())
    with pytest.raises(OdooRefusedError, match="ODOO_API_KEY is not set") as key:
        connect_from(_settings(odoo_url="http://127.0.0.1:1"))
    assert "fusion-billing up" in _said(url.value)
    assert "New API key" in _said(key.value)


def test_settings_open_a_session_over_the_transport_they_name(tmp_path: Path) -> None:
    kinds = {OdooTransport.JSONRPC: OdooRpcClient, OdooTransport.JSON2: Json2Client}
    with running_double(tmp_path / "odoo.db", db="books", key=KEY) as url:
        for transport, kind in kinds.items():
            settings = _settings(
                odoo_url=url, odoo_db="books", odoo_api_key=KEY, odoo_transport=transport
            )
            client = connect_from(settings, timeout=7)
            assert isinstance(client, kind)
            assert client.version().series == "19.0"
            assert client.timeout == 7
            assert client.pauses == PAUSES


def test_nobody_listens(transport: OdooTransport) -> None:
    """Told at once, without the pauses of a session."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = time.monotonic()
    with pytest.raises(OdooTransientError, match="ODOO_URL") as caught:
        connect(f"http://127.0.0.1:{port}", "odoo", "admin", KEY, transport=transport)
    assert "Connection refused" in _said(caught.value)
    assert time.monotonic() - started < sum(PAUSES) / 2


@pytest.mark.parametrize(
    "url",
    [
        "odoo.example.com",
        "ftp://x",
        "http://",
        "http://x:notaport",
        "http://x:99999",
        "http://[::1",
        "http://xn--zz",
    ],
)
def test_no_address(url: str) -> None:
    with pytest.raises(OdooRefusedError, match="is not an address such as"):
        connect(url, "odoo", "admin", KEY)


def test_a_password_in_the_address_is_not_repeated() -> None:
    with pytest.raises(OdooRefusedError, match="ODOO_URL carries a user or a password") as caught:
        connect(f"https://admin:{KEY}@odoo.example.com", "odoo", "admin", KEY)
    _said(caught.value)


def test_wrong_key_user_and_database(transport: OdooTransport, tmp_path: Path) -> None:
    with running_double(tmp_path / "odoo.db", db="books", key=KEY) as url:
        for user, key in (("admin", "wrong"), ("nobody", KEY)):
            with pytest.raises(OdooRefusedError, match=r"ODOO_(USER|API_KEY)") as caught:
                connect(url, "books", user, key, transport=transport)
            assert "into .env" in _said(caught.value)
            assert caught.value.name == "odoo.exceptions.AccessDenied"
        with pytest.raises(OdooRefusedError, match="ODOO_DB 'other'") as missing:
            connect(url, "other", "admin", KEY, transport=transport)
        assert "mend it in .env" in _said(missing.value)


def test_the_owner_of_a_key_is_told(tmp_path: Path) -> None:
    """JSON-2 alone would work under whichever user the key belongs to."""
    with running_double(tmp_path / "odoo.db", key=KEY) as url:
        with pytest.raises(OdooRefusedError) as caught:
            connect(url, "any", "nobody", KEY, transport=OdooTransport.JSON2)
        assert _said(caught.value) == (
            "ODOO_USER 'nobody': the key in ODOO_API_KEY belongs to 'admin'; name that user, or put"
            " a key of this one's into .env"
        )


def test_a_database_that_no_header_can_carry() -> None:
    with pytest.raises(OdooRefusedError, match="ODOO_DB 'comptabilité'"):
        connect("http://127.0.0.1:1", "comptabilité", "a", KEY, transport=OdooTransport.JSON2)


def test_an_address_that_redirects_is_named() -> None:
    """As where https is enforced."""

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", f"https://odoo.example.com{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Redirecting)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        with pytest.raises(OdooRefusedError, match=r"redirects to https://odoo\.example\.com"):
            connect(url, "odoo", "admin", KEY, transport=OdooTransport.JSON2)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
