"""What a person reads when Odoo's settings are wrong: a line, the variable, the next step."""

from __future__ import annotations

import logging
import socket
from pathlib import Path

import pytest

from odoo_gateway.connect import connect, connect_from
from odoo_gateway.errors import OdooError, OdooRefusedError, OdooTransientError
from sandbox.odoo.launch import running_double
from warehouse.settings import Settings

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


def test_settings_open_a_session(tmp_path: Path) -> None:
    with running_double(tmp_path / "odoo.db", db="books", key=KEY) as url:
        settings = _settings(odoo_url=url, odoo_db="books", odoo_api_key=KEY)
        assert connect_from(settings).version().series == "19.0"


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(OdooTransientError, match="ODOO_URL") as caught:
        connect(f"http://127.0.0.1:{port}", "odoo", "admin", KEY)
    assert "Connection refused" in _said(caught.value)


@pytest.mark.parametrize("url", ["odoo.example.com", "ftp://x", "http://", "http://x:notaport"])
def test_no_address(url: str) -> None:
    with pytest.raises(OdooRefusedError, match="is not an address such as"):
        connect(url, "odoo", "admin", KEY)


def test_a_password_in_the_address_is_not_repeated() -> None:
    with pytest.raises(OdooRefusedError, match="ODOO_URL carries a user or a password") as caught:
        connect(f"https://admin:{KEY}@odoo.example.com", "odoo", "admin", KEY)
    _said(caught.value)


def test_wrong_key_user_and_database(tmp_path: Path) -> None:
    with running_double(tmp_path / "odoo.db", db="books", key=KEY) as url:
        for user, key in (("admin", "wrong"), ("nobody", KEY)):
            with pytest.raises(OdooRefusedError, match=r"ODOO_USER .* or ODOO_API_KEY") as caught:
                connect(url, "books", user, key)
            _said(caught.value)
        with pytest.raises(OdooRefusedError, match="ODOO_DB 'other'"):
            connect(url, "other", "admin", KEY)


def test_the_key_is_never_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """odoorpc logs whole requests at DEBUG, key included, unless it is told not to."""
    caplog.set_level(logging.DEBUG)
    with running_double(tmp_path / "odoo.db", key=KEY) as url:
        client = connect(url, "any", "admin", KEY)
        client.search_read("res.partner", [], ["name"])
    assert KEY not in caplog.text
