"""Odoo away, slow or forgetful while commands are applied: retried in time, never done twice."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from pushing import Call, WatchedClient
from sqlalchemy.engine import Engine

from exports.commands.queue import LONGEST_WAIT, wait
from odoo_gateway.client import Record
from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from odoo_gateway.odoorpc_client import OdooRpcClient

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "contract"))

from asking import Asking
from odoo_world import World


@pytest.fixture(scope="module")
def world(odoo: OdooRpcClient) -> World:
    return World(odoo)


@pytest.fixture
def asking(engine: Engine, world: World) -> Asking:
    with engine.begin() as connection:
        connection.execute(sa.text("truncate raw.command, ops.command_state"))
    return Asking(engine, world)


def lost(method: str, model: str, times: int = 1) -> object:
    left = [times]

    def after(call: Call) -> None:
        if (call.method, call.model) == (method, model) and left[0]:
            left[0] -= 1
            raise OdooTransientError("the connection to Odoo was lost")

    return after


def due_now(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text("update ops.command_state set next_attempt_at = now()"))


@pytest.mark.parametrize(
    ("method", "model"),
    [
        ("create", "res.partner"),
        ("create", "x_fc_account_link"),
        ("create", "sale.order"),
        ("action_confirm", "sale.order"),
    ],
)
def test_a_lost_answer_is_settled_by_reading(
    asking: Asking, client: WatchedClient, method: str, model: str
) -> None:
    plan = asking.plan()
    asked = [asking.customer(name="Maple"), asking.subscription(plan)]
    client.after = lost(method, model)  # type: ignore[assignment]
    result = asking.apply(client)
    assert result.retrying == 1
    states = [asking.state(command) for command in asked]
    (retrying,) = [state for state in states if state["state"] == "retrying"]
    assert retrying["attempts"] == 1
    assert "lost" in retrying["reason"]
    in_a_minute = retrying["next_attempt_at"] - datetime.now(UTC)
    assert timedelta(seconds=30) < in_a_minute <= timedelta(minutes=1)
    # Not before its time, and nothing of this customer meanwhile.
    assert asking.apply(client).fates == []
    due_now(asking.engine)
    asking.apply(client)
    assert [asking.state(command)["state"] for command in asked] == ["applied", "applied"]
    partners = asking.client.search_read(
        "res.partner", [("x_fc_account_key", "=", f"nexacloud:{asking.account}")], ["id"]
    )
    assert len(partners) == len(asking.links()) == len(asking.orders()) == 1
    assert asking.orders()[0]["state"] == "sale"


def test_one_customers_trouble_is_not_anothers(asking: Asking, client: WatchedClient) -> None:
    other = Asking(asking.engine, asking.world)
    troubled, fine = sorted((asking, other), key=lambda each: each.account)
    first, second = troubled.customer(name="A"), fine.customer(name="B")
    client.after = lost("create", "res.partner")  # type: ignore[assignment]
    asking.apply(client)
    assert troubled.state(first)["state"] == "retrying"
    assert fine.state(second)["state"] == "applied"


def test_an_odoo_that_stays_away_is_left_alone(asking: Asking, client: WatchedClient) -> None:
    for _ in range(9):
        Asking(asking.engine, asking.world).customer(name="Maple")
    client.after = lost("search_read", "x_fc_account_link", times=99)  # type: ignore[assignment]
    result = asking.apply(client)
    assert (result.retrying, result.postponed) == (3, 6)
    client.after = lambda call: None
    due_now(asking.engine)
    assert asking.apply(client).applied == 9


class Community(WatchedClient):
    """Community without subscriptions: no plans, no days on orders, no quotation templates."""

    missing = frozenset(
        {"plan_id", "start_date", "end_date", "next_invoice_date", "subscription_state"}
    )

    def search_read(self, model: str, *args: Any, **kwargs: Any) -> list[Record]:
        self._require(model)
        return super().search_read(model, *args, **kwargs)

    def fields_get(self, model: str) -> dict[str, Record]:
        self._require(model)
        fields = super().fields_get(model)
        return {name: field for name, field in fields.items() if name not in self.missing}

    @staticmethod
    def _require(model: str) -> None:
        if model in ("sale.subscription.plan", "sale.order.template"):
            raise OdooRefusedError(f"the model {model!r} does not exist")


def test_community_without_subscriptions(asking: Asking, odoo: OdooRpcClient) -> None:
    plan, other = asking.plan(), asking.plan()
    client = Community(odoo)
    made = asking.subscription(plan)
    asking.apply(client)
    (order,) = asking.orders()
    assert (asking.state(made)["state"], order["state"]) == ("applied", "sale")
    assert (order["plan_id"], order["x_fc_plan_code"]) == (False, plan)
    refused = [asking.subscription(other), asking.termination()]
    asking.apply(client)
    for command in refused:
        assert asking.state(command)["state"] == "refused"
        assert "install Subscriptions" in asking.state(command)["reason"]
    assert [each["id"] for each in asking.orders()] == [order["id"]]


def test_waits_double_to_an_hour() -> None:
    assert [wait(attempt) for attempt in (1, 2, 3)] == [
        timedelta(minutes=1), timedelta(minutes=2), timedelta(minutes=4),
    ]  # fmt: skip
    assert wait(9) == wait(1000) == LONGEST_WAIT == timedelta(hours=1)
