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


def test_a_lost_confirmation_loses_no_days(
    asking: Asking, client: WatchedClient, odoo: OdooRpcClient
) -> None:
    """Confirming put the days to others, and its answer never came: the retry puts them back, of a
    first order and of one that follows another."""
    plan, dearer = asking.plan(), asking.plan(price=99.0)

    def reset(call: Call) -> None:
        if call.method == "action_confirm":
            client.after = lambda call: None
            made = [each for each in asking.orders() if each["state"] == "sale"][-1]
            days = {"start_date": "2026-12-24", "next_invoice_date": "2026-12-24"}
            odoo.write("sale.order", [made["id"]], days)
            raise OdooTransientError("the connection to Odoo was lost")

    found = []
    for code in (plan, dearer):
        asked = asking.subscription(code, subscription_at="2026-09-01", ending_at="2027-08-31")
        client.after = reset
        assert asking.apply(client).retrying == 1
        due_now(asking.engine)
        asking.apply(client)
        assert asking.state(asked)["state"] == "applied"
        found.append(asking.orders()[-1])
    first, second = found
    assert (first["start_date"], first["next_invoice_date"]) == ("2026-09-01", "2026-09-01")
    assert (second["start_date"], second["next_invoice_date"]) == ("2026-09-15", "2026-09-15")
    assert [each["end_date"] for each in asking.orders()] == ["2026-09-14", "2027-08-31"]


def test_a_pass_that_was_killed_at_the_end_moves_no_days(
    asking: Asking, client: WatchedClient
) -> None:
    """The order before was ended already, and only the answer to that was lost: worked out anew,
    the next invoice would be on the first of the month, which the old order has billed."""
    asking.subscription(asking.plan(), subscription_at="2026-09-01")
    asking.apply()
    asked = asking.subscription(asking.plan(price=99.0))
    client.after = lost("write", "sale.order")  # type: ignore[assignment]
    assert asking.apply(client).retrying == 1
    due_now(asking.engine)
    asking.apply(client)
    assert asking.state(asked)["state"] == "applied"
    assert [(each["start_date"], each["end_date"], each["next_invoice_date"]) for each in
            asking.orders()] == [
        ("2026-09-01", "2026-09-14", "2026-09-01"), ("2026-09-15", False, "2026-09-15"),
    ]  # fmt: skip


def test_a_superseded_customer_command_holds_nobody_up(asking: Asking) -> None:
    """The newest was applied; an older one was settled as superseded. The link then goes, and a
    subscription must not wait for ever for what is settled."""
    older, newer = asking.customer(name="Maple"), asking.customer(name="Maple Inc")
    asking.apply()
    assert asking.state(older)["state"] == "refused"
    assert asking.state(newer)["state"] == "applied"
    asking.client.call("x_fc_account_link", "unlink", [link["id"] for link in asking.links()])
    asked = asking.subscription(asking.plan())
    asking.apply()
    assert asking.state(asked)["state"] == "applied"


@pytest.mark.parametrize("ask", ["subscription", "termination"])
def test_beside_a_renewal_without_the_id_nothing_is_made(asking: Asking, ask: str) -> None:
    """Finance renewed the order in Odoo; the renewal has no x_fc_external_id. Given it, the next
    try finds it."""
    plan = asking.plan()
    asking.subscription(plan)
    asking.apply()
    (order,) = asking.orders()
    asking.client.write("sale.order", [order["id"]], {"subscription_state": "5_renewed"})
    asked = asking.subscription(plan) if ask == "subscription" else asking.termination()
    asking.apply()
    state = asking.state(asked)
    assert state["state"] == "refused"
    assert "was renewed in Odoo by an order without this subscription's id" in state["reason"]
    assert [each["id"] for each in asking.orders()] == [order["id"]]

    fields = ("partner_id", "x_fc_service_code", "x_fc_external_account_id", "x_fc_plan_code")
    renewal = asking.world.order(
        {},
        start_date="2026-09-15",
        x_fc_external_id=asking.sub(),
        **{name: order[name] for name in fields},
    )
    asking.client.write("sale.order", [renewal], {"subscription_state": "3_progress"})
    asking.apply(refused=True)
    assert asking.state(asked)["state"] == "applied"
    assert len(asking.orders()) == 2


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
