"""A world made by hand: one client, one subscription, one charge, and counters as they come."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import psycopg

from odoo_gateway.client import OdooClient

ZONE = ZoneInfo("America/Toronto")
TODAY = datetime.now(ZONE).date()
PRICE = "0.012"
INCLUDED = "1000"


def _month_before(day: date) -> date:
    return (day.replace(day=1) - timedelta(days=1)).replace(day=1)


# The month before the last: it has ended and outlived its grace whatever the day.
MONTH = _month_before(_month_before(TODAY))


def fill(client: OdooClient) -> None:
    """Messages of NexaDesk: 1,000 a month included, 0.012 each beyond, on a subscription from the
    first of MONTH. The x_fc_* fields must be there."""

    def make(model: str, **values: object) -> int:
        return client.create(model, [values])[0]

    (ontario,) = client.search_read(
        "res.country.state", [("code", "=", "ON"), ("country_id.code", "=", "CA")], ["country_id"]
    )
    partner = make(
        "res.partner",
        name="Maple Analytics",
        is_company=True,
        country_id=ontario["country_id"],
        state_id=ontario["id"],
    )
    make(
        "x_fc_account_link",
        x_name="nexadesk:maple",
        x_service_code="nexadesk",
        x_external_account_id="maple",
        x_partner_id=partner,
    )
    metric = make("x_fc_metric", x_name="Messages", x_code="messages", x_aggregation="sum")
    product = make(
        "product.product", name="Messages", type="service", invoice_policy="delivery", sale_ok=True
    )
    make(
        "x_fc_charge",
        x_name="Messages",
        x_code="messages",
        x_plan_code="desk_team",
        x_metric_id=metric,
        x_charge_model="standard",
        x_unit_price=PRICE,
        x_included=INCLUDED,
        x_currency="CAD",
        x_product_id=product,
    )
    plan = make(
        "sale.subscription.plan",
        name="Monthly",
        billing_period_value=1,
        billing_period_unit="month",
    )
    order = make(
        "sale.order",
        partner_id=partner,
        plan_id=plan,
        x_fc_service_code="nexadesk",
        x_fc_external_id="maple-desk",
        x_fc_external_account_id="maple",
        x_fc_plan_code="desk_team",
        x_fc_billing_time="calendar",
    )
    client.call("sale.order", "action_confirm", [order])
    client.write("sale.order", [order], {"start_date": MONTH.isoformat()})


def add_messages(database_url: str, transaction_id: str, messages: int) -> None:
    """A counter of MONTH's 10th, stored as the endpoint stores it."""
    start = datetime.combine(MONTH + timedelta(days=9), time(), ZONE)
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "insert into raw.ingest_batch (service_code, counters) values ('nexadesk', 1)"
            " returning batch_id"
        ).fetchone()
        assert row is not None
        connection.execute(
            "insert into raw.usage_counter (service_code, external_subscription_id,"
            " transaction_id, batch_id, code, kind, window_start, window_end, value, payload_hash)"
            " values ('nexadesk', 'maple-desk', %s, %s, 'messages', 'delta', %s, %s, %s, '')",
            [transaction_id, row[0], start, start + timedelta(hours=1), messages],
        )
