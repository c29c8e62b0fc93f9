"""The API key appears nowhere: not in messages, tracebacks with variables, or DEBUG logs."""

from __future__ import annotations

import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from failing_odoo import (
    HALF,
    HANG_UP,
    KEY,
    RESET,
    SILENCE,
    Answer,
    Failing,
    Page,
    Refusal,
)

from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect
from odoo_gateway.errors import OdooError
from sandbox.odoo.launch import running_double
from warehouse.settings import OdooTransport

ANSWERS: list[Answer] = [
    Page(502),
    Page(401, "no"),
    Page(200, "<html>maintenance</html>"),
    HANG_UP,
    RESET,
    HALF,
    SILENCE,
    Refusal("odoo.exceptions.UserError", "No."),
    Refusal("psycopg2.errors.SerializationFailure", "could not serialize access"),
]
WORK: list[Callable[[OdooClient], object]] = [
    lambda client: client.create("res.partner", [{"name": "x"}]),
    lambda client: client.search_read("res.partner", [], ["name"]),
]


def _everything(error: BaseException) -> str:
    """What the most talkative of error reports could show: every exception behind this one, with
    the variables of every frame but the test's own."""
    text, behind = "", [error]
    while behind:
        each = behind.pop()
        report = traceback.TracebackException.from_exception(each, capture_locals=True)
        report.stack[:] = [frame for frame in report.stack if frame.filename != __file__]
        text += "".join(report.format(chain=False)) + repr(each) + repr(vars(each))
        behind += [other for other in (each.__cause__, each.__context__) if other]
    return text


@pytest.fixture
def logs(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.DEBUG)
    yield caplog
    assert KEY not in caplog.text


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: str(answer).partition(", debug")[0])
@pytest.mark.parametrize("work", WORK, ids=["create", "search_read"])
def test_a_failing_call(
    failing: tuple[Failing, OdooClient],
    logs: pytest.LogCaptureFixture,
    answer: Answer,
    work: Callable[[OdooClient], object],
) -> None:
    server, client = failing
    client.timeout = 0.3
    server.always = answer
    with pytest.raises(OdooError) as caught:
        work(client)
    assert KEY not in _everything(caught.value)
    assert "Traceback" not in str(caught.value)


def test_a_connection_that_fails(
    transport: OdooTransport, logs: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    with running_double(tmp_path / "odoo.db", db="books", key="another") as url:
        for address, db in ((nowhere, "books"), (url, "other"), (url, "books")):
            with pytest.raises(OdooError) as caught:
                connect(address, db, "admin", KEY, transport=transport)
            assert KEY not in _everything(caught.value)


def test_a_key_with_strange_characters(
    transport: OdooTransport, logs: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Which no header can carry, so that the libraries below complain about it, and quote it."""
    with running_double(tmp_path / "odoo.db") as url:
        for key in (f"{KEY}\n", f"{KEY}é", f" {KEY}"):
            with pytest.raises(OdooError, match="ODOO_API_KEY") as caught:
                connect(url, "any", "admin", key, transport=transport)
            assert KEY not in _everything(caught.value)


def test_a_session_that_works(
    transport: OdooTransport, logs: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """odoorpc logs whole requests at DEBUG, key included, unless it is told not to."""
    with running_double(tmp_path / "odoo.db", key=KEY) as url:
        client = connect(url, "any", "admin", KEY, transport=transport)
        client.search_read("res.partner", [], ["name"])
        assert KEY not in repr(client)
