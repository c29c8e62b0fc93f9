"""What the demo found, read from warehouse and Odoo: the summary of contracts.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from rich.table import Table
from sqlalchemy.engine import Engine

from cli.output import out
from odoo_gateway.client import OdooClient
from sandbox.model import World
from sandbox.traffic import PostCounts


@dataclass
class DemoReport:
    """Figures gathered on the way; the rest is read at the end."""

    counters: PostCounts = field(default_factory=PostCounts)
    seconds: dict[str, float] = field(default_factory=dict)
    second_run: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)


def summary(engine: Engine, client: OdooClient, world: World, report: DemoReport) -> dict[str, Any]:
    """The JSON of contracts.md; amounts as exact strings."""
    with engine.connect() as connection:

        def one(query: str) -> Any:
            return connection.execute(sa.text(query)).one()

        billed = one("""
            select count(*), count(*) filter (where adjustment_no > 0),
                count(distinct (subscription_key, period_start)), coalesce(sum(amount), 0)
            from ops.billed_line
        """)
        desired = one("""
            select count(*) from marts.fct_rated_lines as rated
            inner join intermediate.int_period_closings as closed
                on rated.subscription_key = closed.subscription_key
                and rated.period_start = closed.period_start
            where rated.amount <> 0
        """)
        conservation = one("""
            select coalesce(sum(counters), 0), coalesce(sum(quantity), 0)
            from marts.fct_usage_conservation
        """)
        landed = one("""
            select count(*), coalesce(sum(raw_quantity), 0) from (
                select distinct service_code, metric_code, month, raw_quantity
                from marts.fct_usage_conservation
            ) as months
        """)
        raw_counters = one("select count(*) from raw.usage_counter")
        conflicts = one("select count(*) from raw.event_conflict")
        pushed = one("""
            select count(*) filter (where state in ('verified', 'invoiced')),
                count(*) filter (where state = 'drafted')
            from ops.odoo_push
        """)
        buckets = connection.execute(
            sa.text("""
                select bucket, sum(counters)::bigint from marts.fct_usage_conservation
                group by 1 order by 1
            """)
        )
        by_bucket = {row[0]: row[1] for row in buckets}
        margin = one("""
            select coalesce(sum(revenue), 0), coalesce(sum(cogs), 0), min(currency)
            from marts.fct_margin_monthly
        """)
        costs = connection.execute(
            sa.text("""
                select allocation, sum(amount_company) from marts.fct_cogs_daily
                group by 1 order by 1
            """)
        )
        allocated = {row[0]: _text(round(row[1], 2)) for row in costs}
        outcomes = connection.execute(
            sa.text(
                "select subscription_key, coalesce(metric_code, item_type) as item, period_start,"
                " status, reason"
                " from marts.fct_reconciliation"
            )
        ).all()
    differences: dict[str, int] = {}
    for row in outcomes:
        if row.status == "difference":
            differences[row.reason] = differences.get(row.reason, 0) + 1
    found = {
        (row.subscription_key, row.item, row.period_start.replace(day=1)): row.reason
        for row in outcomes
        if row.status == "difference"
    }
    planted = {
        (case.subscription_key, case.metric_code, case.month): case.reason
        for case in world.planted_differences()
    }
    in_odoo = client.search_read(
        "sale.order.line", [("x_fc_line_key", "!=", False)], ["x_fc_line_key"]
    )
    return {
        "counters": {
            "posted": report.counters.posted,
            "accepted": report.counters.accepted,
            "duplicate": report.counters.duplicate,
            "rejected": report.counters.rejected,
        },
        "periods_billed": billed[2],
        "lines": {
            "desired": desired[0],
            "billed": billed[0],
            "in_odoo": len({line["x_fc_line_key"] for line in in_odoo}),
            "verified": pushed[0],
            "drafted": pushed[1],
            "adjustments": billed[1],
            "amount": _text(billed[3]),
        },
        "conservation": {
            "raw": _text(landed[1]),
            "bucketed": _text(conservation[1]),
            "difference": _text(landed[1] - conservation[1]),
            "raw_counters": raw_counters[0],
            "bucketed_counters": int(conservation[0]),
            "buckets": by_bucket,
            "conflicts_recorded": conflicts[0],
        },
        "reconciliation": {
            "match": sum(1 for row in outcomes if row.status == "match"),
            "differences": dict(sorted(differences.items())),
            "planted_found": sum(1 for key, reason in planted.items() if found.get(key) == reason),
            "planted": len(planted),
            "not_planted": len(found.keys() - planted.keys()),
        },
        "margin": {
            "revenue": f"{margin[0]:.2f}",
            "cogs": f"{margin[1]:.2f}",
            "currency": margin[2],
        },
        "costs": allocated,
        "second_run": report.second_run,
        "seconds": report.seconds,
        "files": report.files,
    }


def _text(value: Decimal | int) -> str:
    text = format(Decimal(value), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def problems(summary_: dict[str, Any]) -> list[str]:
    """Why the demo did not hold what it promises; empty where it did."""
    counters, lines = summary_["counters"], summary_["lines"]
    conservation, reconciliation = summary_["conservation"], summary_["reconciliation"]
    checks = {
        "accepted counters are not all stored": counters["accepted"]
        != conservation["raw_counters"],
        "usage is not conserved": conservation["difference"] != "0"
        or conservation["raw_counters"] != conservation["bucketed_counters"],
        "Odoo does not have every billed line": lines["in_odoo"] != lines["billed"],
        "a pushed line was not equal when read back": lines["verified"] + lines["drafted"]
        != lines["billed"],
        "a planted difference was not found": reconciliation["planted_found"]
        != reconciliation["planted"],
        "a difference was found that was not planted": reconciliation["not_planted"] != 0,
        "a second run or push wrote something": any(summary_["second_run"].values()),
    }
    return [problem for problem, holds in checks.items() if holds]


def print_summary(summary_: dict[str, Any]) -> None:
    counters, lines = summary_["counters"], summary_["lines"]
    conservation, reconciliation = summary_["conservation"], summary_["reconciliation"]
    margin, second = summary_["margin"], summary_["second_run"]
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column()
    table.add_row(
        "Counters over HTTP",
        f"{counters['posted']:,} posted: {counters['accepted']:,} accepted, "
        f"{counters['duplicate']:,} duplicate, {counters['rejected']} rejected",
    )
    table.add_row(
        "Where they went",
        ", ".join(f"{count:,} {bucket}" for bucket, count in conservation["buckets"].items()),
    )
    table.add_row(
        "Conservation",
        f"raw {conservation['raw']} − bucketed {conservation['bucketed']}"
        f" = {conservation['difference']}",
    )
    table.add_row(
        "Ledger",
        f"{lines['billed']:,} lines over {summary_['periods_billed']:,} periods, "
        f"{lines['adjustments']} of them adjustments, {lines['amount']} {margin['currency']}",
    )
    table.add_row(
        "In Odoo",
        f"{lines['in_odoo']:,} lines, {lines['verified']:,} on subscriptions and "
        f"{lines['drafted']:,} on dual-run drafts, read back and equal to the cent",
    )
    table.add_row(
        "Run and push again",
        f"{second['lines']} lines written, {second['pushed']} pushed",
    )
    table.add_row(
        "App ↔ platform ↔ Odoo",
        f"{reconciliation['match']:,} match; "
        + ", ".join(f"{n} {reason}" for reason, n in reconciliation["differences"].items()),
    )
    table.add_row(
        "Planted differences",
        f"{reconciliation['planted_found']} of {reconciliation['planted']} found with the right "
        f"reason, {reconciliation['not_planted']} others",
    )
    table.add_row(
        "Provider costs",
        ", ".join(f"{amount} {allocation}" for allocation, amount in summary_["costs"].items())
        + f" {margin['currency']}",
    )
    table.add_row(
        "Margin",
        f"revenue {margin['revenue']}, COGS {margin['cogs']} {margin['currency']}",
    )
    out.print(table)
