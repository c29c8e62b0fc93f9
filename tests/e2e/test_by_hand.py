"""The same main job, one command after the other, as the person on call would do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from command_line import environment, fusion_billing
from small_world import MONTH, TODAY, add_messages, fill

from odoo_gateway.connect import connect
from sandbox.odoo.launch import running_double


def test_bootstrap_mirror_run_push_and_what_comes_late(database_url: str, tmp_path: Path) -> None:
    """1,500 messages, 1,000 included, 0.012 each: 6.00. Then 100 more, late: 1.20 more, as an
    adjustment beside the first line, which stays as it is."""
    with running_double(tmp_path / "odoo.sqlite") as odoo_url:
        given = {"DATABASE_URL": database_url, "ODOO_URL": odoo_url, "ODOO_API_KEY": "admin"}
        env = environment(tmp_path, **given)

        def command(line: str) -> Any:
            finished = fusion_billing(*line.split(), "--format", "json", env=env, seconds=240)
            assert (finished.status, finished.stderr) == (0, ""), finished
            return finished.json()

        planned = command("odoo bootstrap --dry-run")
        assert command("odoo bootstrap") == planned != []
        assert command("odoo bootstrap") == []
        fill(connect(odoo_url, "odoo", "admin", "admin"))
        command("service add nexadesk --phase live")
        add_messages(database_url, "t1", 1500)
        mirrored = {row["table"]: row["read"] for row in command("odoo mirror")}
        assert (mirrored["raw.odoo_charge"], mirrored["raw.odoo_subscription"]) == (1, 1)

        run = f"run --date {TODAY}"
        would = command(f"{run} --dry-run")
        assert (would["lines"], would["amount"], would["run_id"]) == (1, "6.00", None)
        assert _ledger(database_url) == []
        billed = command(f"{run} --no-build")
        assert {**billed, "run_id": None} == would
        assert command(f"{run} --no-build")["lines"] == 0

        due = command("odoo push --dry-run")
        assert (due["pending"], due["created"]) == (1, 0)
        assert command("odoo push")["created"] == 1
        assert command("odoo push")["pending"] == 0

        add_messages(database_url, "t2", 100)
        late = command(run)
        assert (late["lines"], late["adjustments"], late["amount"]) == (1, 1, "1.20")
        pushed = command("odoo push")
        assert (pushed["created"], pushed["verified"]) == (1, 1)
        assert _ledger(database_url) == [(0, "period", "6.00"), (1, "late_usage", "1.20")]

        lines = connect(odoo_url, "odoo", "admin", "admin").search_read(
            "sale.order.line",
            [("x_fc_line_key", "!=", False)],
            ["x_fc_line_key", "untaxed_amount_to_invoice", "x_fc_period_start"],
        )
        assert [line["untaxed_amount_to_invoice"] for line in lines] == [6.0, 1.2]
        assert lines[1]["x_fc_line_key"] == f"{lines[0]['x_fc_line_key']}~1"
        assert {line["x_fc_period_start"] for line in lines} == {MONTH.isoformat()}


def _ledger(database_url: str) -> list[tuple[int, str, str]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "select adjustment_no, reason, amount::text from ops.billed_line order by 1"
        ).fetchall()
