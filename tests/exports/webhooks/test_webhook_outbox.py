"""From Odoo's mirror to the outbox: a subscription's life on the double, each fact told once."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from receivers import App
from sqlalchemy.engine import Engine

from exports.webhooks.outbox import Emitted, emit
from ingest.odoo_mirror import BILLING, MASTER, mirror
from odoo_gateway.odoorpc_client import OdooRpcClient
from warehouse.lago_ids import lago_id

ZONE = ZoneInfo("America/Toronto")
TODAY = datetime.now(UTC).date()  # as the double's: at night the company is a day behind
DAY = timedelta(days=1)
DUE = "invoice_date_due"
MODELS = [
    replace(model, fields=(*model.fields, DUE))
    if model.table == "invoice" and DUE not in model.fields
    else model
    for model in MASTER + BILLING
]
NOTHING = Emitted({}, 0, 0)


@dataclass
class Told:
    """What the outbox holds of one service."""

    app: App

    def events(self, columns: str = "webhook_type, subject, ordering_key") -> list[Any]:
        with self.app.engine.connect() as connection:
            return [
                tuple(row)
                for row in connection.execute(
                    sa.text(
                        f"select {columns} from ops.webhook_event where service_code = :code"
                        " order by event_no"
                    ),
                    {"code": self.app.code},
                )
            ]

    def types(self) -> list[str]:
        return [row[0] for row in self.events("webhook_type")]

    def heard(self) -> list[str]:
        """Types of the events that somebody is to hear, in order."""
        return [
            row[0]
            for row in self.events(
                "webhook_type, exists (select from ops.webhook_delivery as delivery"
                " where delivery.event_id = webhook_event.event_id)"
            )
            if row[1]
        ]

    def last(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.events("payload")[-1][0])
        return body


@pytest.fixture
def told(app: App) -> Told:
    return Told(app)


@pytest.fixture
def listening(app: App) -> App:
    app.endpoint("https://hooks.example.com/")
    return app


@dataclass
class Shop:
    """Odoo, with what a subscription needs."""

    client: OdooRpcClient
    engine: Engine
    partner: int
    base: int
    plan: int

    def subscription(self, service: str, external_id: str, price: float = 100.0) -> int:
        values = {
            "partner_id": self.partner,
            "plan_id": self.plan,
            "x_fc_service_code": service,
            "x_fc_external_id": external_id,
            "x_fc_external_account_id": "maple",
            "x_fc_plan_code": "desk_team",
            "order_line": [
                (0, 0, {"product_id": self.base, "product_uom_qty": 1, "price_unit": price})
            ],
        }
        (order,) = self.client.create("sale.order", [values])
        self.client.call("sale.order", "action_confirm", [order])
        self.client.write("sale.order", [order], {"start_date": TODAY.isoformat()})
        return order

    def invoice(self, *orders: int, on: date = TODAY, together: bool = False) -> int:
        (wizard,) = self.client.create(
            "sale.advance.payment.inv",
            [
                {
                    "sale_order_ids": [(6, 0, list(orders))],
                    "advance_payment_method": "delivered",
                    "consolidated_billing": together,
                }
            ],
        )
        self.client.call("sale.advance.payment.inv", "create_invoices", [wizard])
        (row,) = self.client.search_read("sale.order", [("id", "=", orders[0])], ["invoice_ids"])
        move = max(row["invoice_ids"])
        self.client.write("account.move", [move], {"invoice_date": on.isoformat()})
        return int(move)

    def post(self, move: int) -> None:
        self.client.call("account.move", "action_post", [move])

    def pay(self, move: int, amount: float | None = None) -> None:
        action = self.client.call("account.move", "action_register_payment", [move])
        (wizard,) = self.client.create(
            "account.payment.register",
            [{} if amount is None else {"amount": amount}],
            context=action["context"],
        )
        self.client.call("account.payment.register", "action_create_payments", [wizard])

    def emitted(self, on: date = TODAY) -> Emitted:
        """Mirrors, then writes down what is new; and that a second pass finds nothing."""
        mirror(self.engine, self.client, MODELS)
        found = emit(self.engine, on, ZONE)
        assert emit(self.engine, on, ZONE) == NOTHING
        return found


@pytest.fixture
def shop(odoo: OdooRpcClient, engine: Engine) -> Shop:
    def make(model: str, **values: Any) -> int:
        return odoo.create(model, [values])[0]

    with engine.begin() as connection:  # of tests before, services are watched for ever
        connection.execute(sa.text("truncate ops.webhook_service"))
    return Shop(
        odoo,
        engine,
        make("res.partner", name="Maple Analytics"),
        make("product.product", name="Base", type="service", recurring_invoice=True),
        make(
            "sale.subscription.plan",
            name="Monthly",
            billing_period_value=1,
            billing_period_unit="month",
        ),
    )


def test_a_subscriptions_life_is_told_once_and_in_order(
    shop: Shop, told: Told, listening: App
) -> None:
    """100.00 and its tax; the invoice of today falls due today and is overdue tomorrow."""
    code = listening.code
    assert shop.emitted() == NOTHING
    order = shop.subscription(code, "maple-desk")
    assert shop.emitted() == Emitted({"subscription.started": 1}, 1, 0)
    started = told.last()
    assert list(started) == ["webhook_type", "object_type", "organization_id", "subscription"]
    assert started["organization_id"] == lago_id("organization", code)
    midnight = datetime.combine(TODAY, datetime.min.time(), ZONE).astimezone(ZoneInfo("UTC"))
    expected = {
        "lago_id": lago_id("subscription", code, "maple-desk"),
        "external_id": "maple-desk",
        "external_customer_id": "maple",
        "plan_code": "desk_team",
        "plan_amount_currency": "CAD",
        "status": "active",
        "started_at": f"{midnight:%Y-%m-%dT%H:%M:%SZ}",
        "ending_at": None,
        "terminated_at": None,
    }
    assert expected.items() <= started["subscription"].items()

    move = shop.invoice(order)
    assert shop.emitted() == NOTHING, "a draft is nobody's business"
    shop.post(move)
    assert shop.emitted() == Emitted({"invoice.created": 1}, 1, 0)
    (row,) = shop.client.search_read(
        "account.move", [("id", "=", move)], ["name", "amount_tax", "amount_total"]
    )
    tax = round(row["amount_tax"] * 100)
    created = told.last()["invoice"]
    assert {
        "lago_id": lago_id("invoice", str(move)),
        "number": row["name"],
        "issuing_date": TODAY.isoformat(),
        "payment_due_date": TODAY.isoformat(),
        "status": "finalized",
        "payment_status": "pending",
        "payment_overdue": False,
        "currency": "CAD",
        "fees_amount_cents": 10_000,
        "taxes_amount_cents": tax,
        "total_amount_cents": 10_000 + tax,
        "total_due_amount_cents": 10_000 + tax,
    }.items() <= created.items()
    assert created["customer"]["external_id"] == "maple"
    assert [one["external_id"] for one in created["subscriptions"]] == ["maple-desk"]
    (fee,) = created["fees"]
    assert (fee["units"], fee["amount_cents"], fee["external_subscription_id"]) == (
        "1.0", 10_000, "maple-desk",
    )  # fmt: skip

    assert shop.emitted(TODAY + DAY) == Emitted({"invoice.payment_overdue": 1}, 1, 0)
    overdue = told.last()["invoice"]
    assert (overdue["payment_overdue"], overdue["payment_status"]) == (True, "pending")

    shop.pay(move, 40.0)
    assert shop.emitted(TODAY + DAY) == NOTHING, "a part is not the whole"
    shop.pay(move)
    paid = shop.emitted(TODAY + DAY)
    assert paid == Emitted({"invoice.payment_status_updated": 1}, 1, 0)
    succeeded = told.last()["invoice"]
    assert {
        "payment_status": "succeeded",
        "payment_overdue": False,
        "total_due_amount_cents": 0,
        "total_amount_cents": 10_000 + tax,
    }.items() <= succeeded.items()

    shop.client.write("sale.order", [order], {"subscription_state": "6_churn"})
    assert shop.emitted(TODAY + DAY) == Emitted({"subscription.terminated": 1}, 1, 0)
    ended = told.last()["subscription"]
    assert ended["status"] == "terminated"
    assert ended["terminated_at"]
    assert told.events() == [
        ("subscription.started", "subscription:maple-desk", "subscription:maple-desk"),
        ("invoice.created", f"invoice:{move}", "subscription:maple-desk"),
        ("invoice.payment_overdue", f"invoice:{move}", "subscription:maple-desk"),
        ("invoice.payment_status_updated", f"invoice:{move}", "subscription:maple-desk"),
        ("subscription.terminated", "subscription:maple-desk", "subscription:maple-desk"),
    ]
    keys = [row[0] for row in told.events("source_key")]
    assert keys == [
        f"subscription.started:{code}:maple-desk:1",
        f"invoice.created:1:{code}:{move}",
        f"invoice.payment_overdue:{TODAY}:{code}:{move}",
        f"invoice.payment_succeeded:1:{code}:{move}",
        f"subscription.terminated:{code}:maple-desk:1",
    ]


def test_all_of_it_between_two_looks_is_told_in_its_order(
    shop: Shop, told: Told, listening: App
) -> None:
    shop.emitted()
    order = shop.subscription(listening.code, "quick")
    move = shop.invoice(order)
    shop.post(move)
    shop.pay(move)
    assert shop.emitted().deliveries == 3
    assert told.types() == [
        "subscription.started",
        "invoice.created",
        "invoice.payment_status_updated",
    ]


def test_history_is_written_down_and_not_told(shop: Shop, told: Told, app: App) -> None:
    """What was before the first endpoint is not blasted out; what happens to it afterwards is."""
    old = shop.subscription(app.code, "old")
    unpaid = shop.invoice(old)
    shop.post(unpaid)
    ended = shop.subscription(app.code, "ended")
    shop.client.write("sale.order", [ended], {"subscription_state": "6_churn"})
    assert shop.emitted() == NOTHING, "nobody listens, and nothing is kept for the day they do"
    assert told.types() == []
    app.endpoint("https://hooks.example.com/", hours=1)  # later than all of it

    assert shop.emitted() == Emitted({}, 0, 3)
    assert told.types() == ["subscription.started", "invoice.created", "subscription.terminated"]
    shop.pay(unpaid)
    shop.client.write("sale.order", [old], {"subscription_state": "6_churn"})
    assert shop.emitted().deliveries == 2
    assert told.heard() == ["invoice.payment_status_updated", "subscription.terminated"]


def test_what_happens_between_the_first_endpoint_and_the_first_pass_is_told(
    shop: Shop, told: Told, app: App
) -> None:
    """Invoicing touches the old order as well: its start date says that it is no news."""
    old = shop.subscription(app.code, "old")
    shop.client.write("sale.order", [old], {"start_date": (TODAY - 30 * DAY).isoformat()})
    app.endpoint("https://hooks.example.com/", hours=-1)
    shop.subscription(app.code, "new")
    move = shop.invoice(old)
    shop.post(move)
    assert shop.emitted() == Emitted({"invoice.created": 1, "subscription.started": 1}, 2, 1)
    assert [row[0] for row in told.events("subject")] == [
        "subscription:new",
        "subscription:old",
        f"invoice:{move}",
    ]
    assert told.heard() == ["subscription.started", "invoice.created"]


def test_an_invoice_of_several_services_is_told_to_each_of_them_with_its_own_lines(
    shop: Shop, told: Told, listening: App, engine: Engine
) -> None:
    other = App.make(engine)
    other.endpoint("https://other.example.com/")
    shop.emitted()
    ours = shop.subscription(listening.code, "ours", 30.0)
    theirs = shop.subscription(other.code, "theirs", 70.0)
    shop.emitted()
    move = shop.invoice(ours, theirs, together=True)
    shop.post(move)
    assert shop.emitted() == Emitted({"invoice.created": 2}, 2, 0)
    for found, name, cents in ((told, "ours", 3_000), (Told(other), "theirs", 7_000)):
        invoice = found.last()["invoice"]
        assert [one["external_id"] for one in invoice["subscriptions"]] == [name]
        assert [fee["amount_cents"] for fee in invoice["fees"]] == [cents]
        assert invoice["fees_amount_cents"] == cents
        assert invoice["total_amount_cents"] == cents + invoice["taxes_amount_cents"]
        assert found.events("ordering_key")[-1] == (f"subscription:{name}",)
    shop.pay(move)
    assert shop.emitted() == Emitted({"invoice.payment_status_updated": 2}, 2, 0)
    assert told.last()["invoice"]["total_due_amount_cents"] == 0


def test_an_endpoint_hears_the_types_it_asked_for(shop: Shop, told: Told, app: App) -> None:
    app.endpoint("https://hooks.example.com/1", ["invoice.created"])
    app.endpoint("https://hooks.example.com/2", ["subscription.started", "invoice.created"])
    shop.emitted()
    order = shop.subscription(app.code, "picky")
    assert shop.emitted().deliveries == 1
    move = shop.invoice(order)
    shop.post(move)
    assert shop.emitted().deliveries == 2
    shop.pay(move)
    assert shop.emitted() == Emitted({"invoice.payment_status_updated": 1}, 0, 0)
    assert len(told.types()) == 3


def test_a_dry_run_says_so_and_writes_nothing(shop: Shop, told: Told, listening: App) -> None:
    shop.emitted()
    shop.subscription(listening.code, "dry")
    mirror(shop.engine, shop.client, MODELS)
    for _ in range(2):
        assert emit(shop.engine, TODAY, ZONE, dry_run=True).deliveries == 1
    assert told.types() == []
