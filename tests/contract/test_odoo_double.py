"""What is only the double's: its process, its state file, its speed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from odoo_world import World

from odoo_gateway.bootstrap import bootstrap, plan
from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect
from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from sandbox.odoo.launch import REPOSITORY, DoubleError, running_double
from sandbox.odoo.recurring import next_date
from warehouse.settings import OdooTransport

LINE = "sale.order.line"


def _client(url: str, transport: OdooTransport = OdooTransport.JSONRPC) -> OdooClient:
    return connect(url, "any", "admin", "admin", transport=transport)


def test_state_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "odoo.db"
    with running_double(state) as url:
        client = _client(url)
        bootstrap(client)
        world = World(client)
        order = world.order()
        line = world.delivered(order, 1.5, 2, x_fc_line_key="k")
        world.invoice(order)
        invoice = world.moves(order, "amount_total")
    with running_double(state) as url:
        client = _client(url)
        assert plan(client) == []
        (found,) = client.search_read(LINE, [("x_fc_line_key", "=", "k")], ["qty_delivered"])
        assert found == {"id": line, "qty_delivered": 2.0}
        world = World(client)
        assert world.moves(order, "amount_total") == invoice
        with pytest.raises(OdooRefusedError, match="already exists"):
            world.delivered(order, 1.0, 1, x_fc_line_key="k")
        assert world.delivered(order, 1.0, 1, x_fc_line_key="other") > line


def test_a_killed_double_keeps_what_it_answered(tmp_path: Path) -> None:
    state = tmp_path / "odoo.db"
    command = [sys.executable, "-m", "sandbox.odoo", "--port", "0", "--state", str(state)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        ids = _client(url).create("res.partner", [{"name": f"P{n}"} for n in range(50)])
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    with running_double(state) as url:
        rows = _client(url).search_read("res.partner", [("id", "in", ids)], ["name"])
        assert [row["name"] for row in rows] == [f"P{n}" for n in range(50)]


@pytest.mark.parametrize("transport", OdooTransport)
def test_a_client_that_does_not_wait_does_not_undo(
    transport: OdooTransport, tmp_path: Path
) -> None:
    """As measured on Odoo: after a time-out the lines are there."""
    with running_double(tmp_path / "odoo.db") as url:
        impatient, patient = _client(url, transport), _client(url)
        world = World(patient)
        values = {"order_id": world.order(), "product_id": world.usage}
        impatient.timeout = 0.05
        with pytest.raises(OdooTransientError):
            impatient.create(LINE, [values] * 2000)
        deadline = time.monotonic() + 20
        found = 0
        while not found and time.monotonic() < deadline:
            found = len(patient.search_read(LINE, [("order_id", "=", values["order_id"])], ["id"]))
        assert found == 2000


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "sandbox.odoo",
        "--port",
        "0",
        "--state",
        str(tmp_path / "odoo.db"),
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=REPOSITORY
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("Odoo double listens on http://127.0.0.1:")
    process.terminate()
    rest, _ = process.communicate(timeout=10)
    assert (process.returncode, rest) == (0, "")


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    with running_double(tmp_path / "a.db") as url:
        port = int(url.rsplit(":", 1)[1])
        with (
            pytest.raises(DoubleError, match="Address already in use"),
            running_double(tmp_path / "b.db", port=port),
        ):
            pytest.fail("two doubles on one port")


def test_today_is_what_it_is_told(tmp_path: Path) -> None:
    """Business dates follow --today; write_date stays the clock's."""
    with running_double(tmp_path / "odoo.db", today=date(2024, 2, 29)) as url:
        world = World(_client(url))
        order = world.order(plan_id=world.plan)
        row = world.read("sale.order", order, "start_date", "next_invoice_date", "write_date")
        assert (row["start_date"], row["next_invoice_date"]) == ("2024-02-29", "2024-02-29")
        assert row["write_date"] > "2025"
        world.delivered(order, 1.0, 1)
        world.invoice(order)
        (move,) = world.moves(order)
        world.post(move["id"])
        posted = world.read("account.move", move["id"], "invoice_date", "name")
        assert posted["invoice_date"] == "2024-02-29"
        assert posted["name"] == "INV/2024/00001"


def test_an_undone_create_leaves_no_half_made_model(tmp_path: Path) -> None:
    with running_double(tmp_path / "odoo.db") as url:
        client = _client(url)
        field = {"name": "x_name", "field_description": "N", "ttype": "char", "state": "manual"}
        values = {"name": "Half", "model": "x_half", "state": "manual"}
        wrong = {**values, "field_id": [(0, 0, field), (0, 0, {**field, "name": "no"})]}
        with pytest.raises(OdooRefusedError, match="starts with 'x_'"):
            client.create("ir.model", [wrong])
        with pytest.raises(OdooRefusedError, match="doesn't exist"):
            client.fields_get("x_half")
        client.create("ir.model", [{**values, "field_id": [(0, 0, field)]}])
        assert "x_name" in client.fields_get("x_half")


@pytest.mark.parametrize(
    ("start", "current", "value", "unit", "expected"),
    [
        ("2026-01-15", "2026-01-15", 1, "month", "2026-02-15"),
        ("2026-01-31", "2026-01-31", 1, "month", "2026-02-28"),
        ("2026-01-31", "2026-02-28", 1, "month", "2026-03-31"),
        ("2026-01-30", "2026-02-28", 1, "month", "2026-03-30"),
        ("2026-01-31", "2026-04-30", 1, "month", "2026-05-31"),
        ("2026-01-10", "2026-02-01", 1, "month", "2026-03-01"),
        ("2026-12-01", "2026-12-01", 1, "month", "2027-01-01"),
        ("2024-02-29", "2024-02-29", 1, "year", "2025-02-28"),
        ("2024-02-29", "2027-02-28", 1, "year", "2028-02-29"),
        ("2026-08-31", "2026-08-31", 3, "month", "2026-11-30"),
        ("2026-01-01", "2026-01-29", 2, "week", "2026-02-12"),
        (False, "2026-01-31", 1, "month", "2026-02-28"),
    ],
)
def test_the_next_invoice_date(
    start: str | bool, current: str, value: int, unit: str, expected: str
) -> None:
    order = {"start_date": start, "next_invoice_date": current}
    plan = {"billing_period_value": value, "billing_period_unit": unit}
    assert next_date(order, plan).isoformat() == expected


def test_it_is_fast_enough_for_a_demo(tmp_path: Path) -> None:
    """Ten thousand lines, 200 a call; generous limits, for a busy machine."""
    with running_double(tmp_path / "odoo.db") as url:
        client = _client(url)
        world = World(client)
        orders = [world.order() for _ in range(50)]
        slowest = 0.0
        for batch in range(50):
            values = [
                {
                    "order_id": orders[number % 50],
                    "product_id": world.usage,
                    "product_uom_qty": 0,
                    "qty_delivered": batch,
                    "price_unit": 1.25,
                }
                for number in range(200)
            ]
            started = time.monotonic()
            client.create(LINE, values)
            slowest = max(slowest, time.monotonic() - started)
        started = time.monotonic()
        rows = client.search_read(LINE, [("order_id.state", "=", "sale")], ["name", "order_id"])
        reading = time.monotonic() - started
        assert len(rows) == 10_000
        assert slowest < 2
        assert reading < 4
