"""The example of docs/margins.md, from raw records through every model: the figures of the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg
import pytest
from dbt_process import run_dbt

from exports.finance.marts import read_month
from warehouse.settings import Settings

D = Decimal
ZONE = ZoneInfo("America/Toronto")
LINE_KEY = "nexadesk:maple-desk:desk_team/messages:2026-09-17:1"
CAD = 4

# Table of the mirror → its records. Period 17 September to 16 October; 29.00 a month in advance.
ODOO: dict[str, list[dict[str, object]]] = {
    "currency": [{"id": CAD, "name": "CAD"}],
    "partner": [{"id": 7, "name": "Maple Analytics"}],
    "plan": [{"id": 1, "billing_period_value": 1, "billing_period_unit": "month"}],
    "account_link": [
        {"id": 1, "x_service_code": "nexadesk", "x_external_account_id": "maple", "x_partner_id": 7}
    ],
    "metric": [
        {"id": 1, "x_name": "Messages", "x_code": "messages", "x_aggregation": "sum"},
        {"id": 2, "x_name": "Tokens", "x_code": "tokens", "x_aggregation": "sum"},
    ],
    "charge": [
        {"id": 1, "x_code": "messages", "x_metric_id": 1, "x_unit_price": "0.05005"},
        # A charge by region, and one of its variants: two fees of two days.
        {"id": 2, "x_code": "tokens", "x_metric_id": 2, "x_unit_price": "0.01",
         "x_pricing_group_keys": "region"},
        {"id": 3, "x_code": "tokens", "x_metric_id": 2, "x_unit_price": "0.02",
         "x_variant": "large", "x_filter": '{"model": ["large"]}'},
    ],
    "subscription": [
        {"id": 1, "name": "S1", "state": "sale", "subscription_state": "3_progress",
         "x_fc_service_code": "nexadesk", "x_fc_external_id": "maple-desk",
         "x_fc_external_account_id": "maple", "x_fc_plan_code": "desk_team",
         "x_fc_billing_time": "anniversary", "partner_id": 7, "plan_id": 1,
         "start_date": "2026-09-17", "end_date": False}
    ],
    "order_line": [
        {"id": 1, "order_id": 1, "x_fc_line_key": False, "product_uom_qty": 1, "price_unit": 29.0},
        {"id": 2, "order_id": 1, "x_fc_line_key": LINE_KEY, "qty_delivered": 1,
         "price_unit": 10.01},
    ],
    "invoice": [
        {"id": 1, "invoice_date": "2026-09-17", "amount_untaxed": 29.0},
        {"id": 2, "invoice_date": "2026-10-17", "amount_untaxed": 39.01},
        {"id": 3, "invoice_date": "2026-10-20", "amount_untaxed": 10.0,
         "move_type": "out_refund", "reversed_entry_id": 1},
        {"id": 4, "invoice_date": "2026-10-05", "amount_untaxed": 250.0},
        {"id": 5, "invoice_date": "2026-10-06", "amount_untaxed": 999.0, "state": "draft"},
    ],
    "invoice_line": [
        {"id": 1, "move_id": 1, "sale_line_ids": [1], "price_subtotal": 29.0},
        {"id": 2, "move_id": 2, "sale_line_ids": [1], "price_subtotal": 29.0},
        {"id": 3, "move_id": 2, "sale_line_ids": [2], "price_subtotal": 10.01},
        {"id": 4, "move_id": 3, "sale_line_ids": [1], "price_subtotal": 10.0},
        {"id": 5, "move_id": 4, "sale_line_ids": [], "price_subtotal": 250.0},
        {"id": 6, "move_id": 5, "sale_line_ids": [1], "price_subtotal": 999.0},
    ],
}  # fmt: skip
SHARED: dict[str, dict[str, object]] = {
    "charge": {"x_plan_code": "desk_team", "x_charge_model": "standard", "x_currency": "CAD"},
    "invoice": {"move_type": "out_invoice", "state": "posted", "currency_id": CAD, "partner_id": 7},
}
COUNTERS: list[tuple[str, date, int, dict[str, str]]] = [
    ("messages", date(2026, 9, 20), 150, {}),
    ("messages", date(2026, 10, 1), 50, {}),
    ("tokens", date(2026, 9, 20), 100, {"region": "ca"}),
    ("tokens", date(2026, 10, 5), 100, {"region": "us"}),
    ("tokens", date(2026, 9, 21), 10, {"model": "large"}),
    ("messages", date(2026, 10, 18), 0, {}),  # the next period has begun
]
COSTS = [("2026-09-20", "3.00"), ("2026-09-30", "1.12"), ("2026-10-05", "1.90")]


def _fill(connection: psycopg.Connection) -> None:
    for table, records in ODOO.items():
        for record in records:
            whole = {**SHARED.get(table, {}), **record}
            connection.execute(
                f"insert into raw.odoo_{table} (id, write_date, record) values (%s, now(), %s)",
                (whole["id"], json.dumps(whole)),
            )
    connection.execute(
        "insert into raw.ingest_batch (service_code, counters) values ('nexadesk', %s)",
        (len(COUNTERS),),
    )
    for number, (code, day, value, properties) in enumerate(COUNTERS):
        at = datetime(day.year, day.month, day.day, 12, tzinfo=ZONE)
        connection.execute(
            "insert into raw.usage_counter (service_code, external_subscription_id,"
            " transaction_id, batch_id, code, kind, window_start, window_end, value, properties,"
            " payload_hash) select 'nexadesk', 'maple-desk', %s, max(batch_id), %s, 'delta', %s,"
            " %s, %s, %s, '' from raw.ingest_batch",
            (str(number), code, at, at, value, json.dumps(properties)),
        )
    for number, (cost_day, amount) in enumerate(COSTS):
        connection.execute(
            "insert into raw.provider_cost (source, cost_key, provider, sku, day, service_code,"
            " external_account_id, quantity, amount, currency, file) values ('test', %s, 'openai',"
            " 'tokens', %s, 'nexadesk', 'maple', 1, %s, 'CAD', 'costs.csv')",
            (str(number), cost_day, amount),
        )
    connection.execute(
        "insert into ops.service (service_code, name) values ('nexadesk', 'NexaDesk')"
    )
    connection.execute(
        "insert into ops.billing_run (run_date, build_id, high_water_xid, catalog_sha256,"
        " code_version, lines, adjustments, amount, lines_sha256)"
        " values ('2026-10-18', 'b', '100', '', 'test', 1, 0, 10.01, '')"
    )
    connection.execute(
        "insert into ops.billed_line (line_key, rated_line_key, adjustment_no, run_id, reason,"
        " service_code, account_key, subscription_key, odoo_order_id, plan_code, metric_code,"
        " charge_key, period_start, period_end, tier, quantity_used, quantity_included,"
        " quantity_billed, unit_price, amount, amount_precise, currency)"
        " select %s, %s, 0, max(run_id), 'period', 'nexadesk', 'nexadesk:maple',"
        " 'nexadesk:maple-desk', 1, 'desk_team', 'messages', 'desk_team/messages', '2026-09-17',"
        " '2026-10-17', 1, 200, 0, 200, 0.05005, 10.01, 10.01, 'CAD' from ops.billing_run",
        (LINE_KEY, LINE_KEY),
    )


@pytest.fixture(scope="module")
def built(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg.Connection]:
    """The warehouse after one build in which every blocking test passed."""
    with psycopg.connect(database_url) as connection:
        _fill(connection)
    arguments = ("build", "--exclude-resource-type", "unit_test")
    finished = run_dbt(database_url, tmp_path_factory.mktemp("dbt"), *arguments)
    assert finished.exit_status == 0, finished.output
    with psycopg.connect(database_url) as connection:
        yield connection


def _by_month(
    connection: psycopg.Connection, columns: str, condition: str
) -> dict[str, tuple[Decimal | None, ...]]:
    rows = connection.execute(
        f"select to_char(month, 'YYYY-MM'), {columns} from marts.{condition} order by month"
    )
    return {str(row[0]): row[1:] for row in rows}


def test_usage_lies_in_the_months_it_happened_in(built: psycopg.Connection) -> None:
    """10.01 of 150 and 50 messages: 7.51 and 2.50. The tokens of Canada were all September's (100 ×
    0.01), those of the States October's, of the large model September's (10 × 0.02)."""
    usage = "fct_margin_monthly where usage_revenue <> 0 and metric_code = "
    assert _by_month(built, "usage_revenue", f"{usage}'messages'") == {
        "2026-09": (D("7.51"),),
        "2026-10": (D("2.50"),),
    }
    assert _by_month(built, "usage_revenue", f"{usage}'tokens'") == {
        "2026-09": (D("1.20"),),
        "2026-10": (D("1.00"),),
    }


def test_fees_and_credits_lie_in_the_days_they_are_about(built: psycopg.Connection) -> None:
    """September: 13.53 - 4.67 = 8.86. October: 15.47 + 14.03 - 5.33 = 24.17. November: 14.97."""
    base = "base_revenue, invoiced_base"
    account = "rpt_margin_by_account where account_key = 'nexadesk:maple'"
    assert _by_month(built, base, account) == {
        "2026-09": (D("8.86"), D("29.00")),
        "2026-10": (D("24.17"), D("19.00")),
        "2026-11": (D("14.97"), D("0.00")),
    }


def test_the_two_bases_and_their_margins(built: psycopg.Connection) -> None:
    """September: 7.51 + 1.20 + 8.86 = 17.57 less 4.12 is 13.45, 76.55 %; invoiced 29.00, 24.88,
    85.79 %. October: 2.50 + 1.00 + 24.17 = 27.67 less 1.90 is 25.77, 93.13 %; invoiced 10.01 +
    29.00 - 10.00 = 29.01, 27.11, 93.45 %."""
    columns = "revenue, cogs, margin, margin_pct, invoiced_revenue, invoiced_margin_pct"
    found = _by_month(built, columns, "rpt_margin_by_service where service_code = 'nexadesk'")
    assert found == {
        "2026-09": tuple(map(D, ("17.57", "4.12", "13.45", "76.55", "29.00", "85.79"))),
        "2026-10": tuple(map(D, ("27.67", "1.90", "25.77", "93.13", "29.01", "93.45"))),
        "2026-11": (D("14.97"), D("0.00"), D("14.97"), D("100.00"), D("0.00"), None),
    }


def test_what_belongs_to_no_service_is_there_all_the_same(built: psycopg.Connection) -> None:
    """A consulting invoice of 250.00; the draft of 999.00 is no revenue."""
    nobody = "fct_margin_monthly where service_code is null"
    assert _by_month(built, "base_revenue, invoiced_revenue", nobody) == {
        "2026-10": (D("250.00"), D("250.00"))
    }


def test_a_fee_in_advance_is_no_exception_of_a_month_to_come(built: psycopg.Connection) -> None:
    """November has revenue and no cost, but nothing has happened in it yet."""
    assert built.execute("select kind from marts.rpt_margin_exceptions").fetchall() == []


def test_a_close_finds_nothing_against_what_was_just_built(
    built: psycopg.Connection, database_url: str
) -> None:
    """Its own questions, put to the marts that dbt builds: of costs one by one, of what came since,
    of October's one line, which was invoiced as it was billed."""
    data = read_month(database_url, date(2026, 10, 1), Settings())
    (line,) = data.lines.rows
    assert (line["line_key"], line["odoo_invoiced"]) == (LINE_KEY, D("10.01"))
    assert (data.found["allocated"], data.found["without_rate"], data.found["cost"]) == ([], [], [])
    assert data.found["newer"] == [
        dict.fromkeys(
            ("is_rated_since", "is_imported_since", "is_driven_since", "is_mirrored_since"), False
        )
    ]
