"""Commands of apps, as the endpoint records them, and passes that apply them."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from odoo_world import World
from sqlalchemy.engine import Engine

from exports.commands.applying import ApplyResult, apply_commands
from odoo_gateway.client import OdooClient, Record

ZONE = ZoneInfo("America/Toronto")
NOON = datetime(2026, 9, 15, 16, tzinfo=UTC)  # 12:00 in Toronto
_INSERT = sa.text("""
    insert into raw.command (service_code, kind, external_customer_id, external_id, payload,
        payload_hash, received_at)
    values (:service, :kind, :customer, :external_id, :payload, :digest, :received_at)
    returning command_id
""")
_STATE = sa.text("select * from ops.command_state where command_id = :command_id")


@dataclass
class Asking:
    """One service and one account of it, with names that nothing else has."""

    engine: Engine
    world: World
    service: str = "nexacloud"
    account: str = field(default_factory=lambda: f"acct-{uuid.uuid4().hex[:10]}")
    subject: str = ""  # what subscriptions are called by; the account's name unless given

    @property
    def client(self) -> OdooClient:
        return self.world.client

    def customer(self, at: datetime = NOON, **payload: Any) -> int:
        values = {"external_id": self.account, **payload}
        return self._command("customer", self.account, values, at)

    def subscription(self, plan: str, at: datetime = NOON, sub: str = "s", **payload: Any) -> int:
        values = {
            "external_customer_id": self.account,
            "plan_code": plan,
            "external_id": self.sub(sub),
            **payload,
        }
        return self._command("subscription", self.sub(sub), values, at)

    def termination(self, at: datetime = NOON, sub: str = "s") -> int:
        return self._command("termination", self.sub(sub), {}, at)

    def sub(self, name: str = "s") -> str:
        return f"{self.subject or self.account}-{name}"

    def _command(self, kind: str, external_id: str, payload: Any, at: datetime) -> int:
        with self.engine.begin() as connection:
            number: int = connection.execute(
                _INSERT,
                {
                    "service": self.service,
                    "kind": kind,
                    "customer": self.account,
                    "external_id": external_id,
                    "payload": json.dumps(payload),
                    "digest": hashlib.sha256(json.dumps([kind, payload]).encode()).digest(),
                    # No two at the same microsecond: the endpoint's clock has no such repeats.
                    "received_at": at + timedelta(microseconds=uuid.uuid4().int % 1_000_000),
                },
            ).scalar_one()
        return number

    def apply(self, client: OdooClient | None = None, **options: Any) -> ApplyResult:
        return apply_commands(
            self.engine, client or self.client, database="here", zone=ZONE, **options
        )

    def state(self, command_id: int) -> Record:
        with self.engine.connect() as connection:
            row = connection.execute(_STATE, {"command_id": command_id}).mappings().one_or_none()
            return {"state": "pending"} if row is None else dict(row)

    def links(self) -> list[Record]:
        return self.client.search_read(
            "x_fc_account_link", [("x_external_account_id", "=", self.account)], ["x_partner_id"]
        )

    def partner(self, *fields: str) -> Record:
        (link,) = self.links()
        return self.world.read("res.partner", link["x_partner_id"], *fields)

    def orders(self, sub: str = "s") -> list[Record]:
        return self.client.search_read(
            "sale.order",
            [("x_fc_external_id", "=", self.sub(sub))],
            ["state", "partner_id", "plan_id", "start_date", "end_date", "next_invoice_date",
             "subscription_state", "client_order_ref", "x_fc_plan_code", "x_fc_service_code",
             "x_fc_external_account_id", "x_fc_billing_time"],
        )  # fmt: skip

    def plan(self, price: float = 19.0, *, recurrence: int | None = None) -> str:
        """A plan code that Odoo knows by a base product and one running subscription to it."""
        code = f"plan-{uuid.uuid4().hex[:8]}"
        product = self.world.product(
            name=f"Base of {code}",
            default_code=f"{code}/base",
            list_price=price,
            recurring_invoice=True,
            invoice_policy="order",
        )
        for billing_time in ("calendar", "anniversary"):
            self.world.order(
                {"product_id": product, "product_uom_qty": 1},
                plan_id=recurrence or self.world.plan,
                x_fc_plan_code=code,
                x_fc_billing_time=billing_time,
            )
        return code
