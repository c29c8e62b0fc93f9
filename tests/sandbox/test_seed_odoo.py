"""The demo world in the Odoo double, over its RPC, after the real bootstrap."""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import Record
from odoo_gateway.connect import connect
from odoo_gateway.errors import OdooTransientError
from odoo_gateway.odoorpc_client import OdooRpcClient
from sandbox.model import World
from sandbox.odoo.launch import running_double
from sandbox.seed_odoo import seed


@contextmanager
def _double(world: World, folder: Path) -> Iterator[OdooRpcClient]:
    with running_double(folder / "state.sqlite", today=world.demo_date) as url:
        client = connect(url, "odoo", "admin", "admin")
        bootstrap(client)
        yield client


@pytest.fixture(scope="module")
def odoo(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OdooRpcClient]:
    """The double with the world in it."""
    with _double(world, tmp_path_factory.mktemp("odoo")) as client:
        seed(client, world)
        yield client


MODELS = {
    "x_fc_metric": 8,
    "x_fc_charge": 11,
    "x_fc_account_link": 279,  # 280 accounts, one without
    "sale.subscription.plan": 2,
    "sale.order": 280,
    "sale.order.line": 280,
}


def _all(odoo: OdooRpcClient, model: str, *fields: str) -> list[Record]:
    return odoo.search_read(model, [], ["id", *fields])


class _BreaksOff(OdooRpcClient):
    """Loses the connection before the third batch of orders."""

    def __init__(self, inner: OdooRpcClient) -> None:
        super().__init__(inner._odoo)
        self.batches = 0

    def create(
        self,
        model: str,
        values: Sequence[Mapping[str, Any]],
        *,
        context: Mapping[str, Any] | None = None,
    ) -> list[int]:
        self.batches += model == "sale.order"
        if self.batches == 3:
            raise OdooTransientError("the connection to Odoo was lost")
        return super().create(model, values, context=context)


def test_a_broken_off_seed_is_finished_by_the_next_and_repeated_by_none(
    world: World, tmp_path: Path
) -> None:
    """The first attempt leaves two batches of 50 orders, not confirmed."""
    with _double(world, tmp_path) as odoo:
        _break_off_and_go_on(world, odoo)


def _break_off_and_go_on(world: World, odoo: OdooRpcClient) -> None:
    with pytest.raises(OdooTransientError):
        seed(_BreaksOff(odoo), world)
    assert [order["state"] for order in _all(odoo, "sale.order", "state")] == ["draft"] * 100

    seed(odoo, world)
    assert {model: len(_all(odoo, model)) for model in MODELS} == MODELS

    before = {model: _all(odoo, model, "write_date") for model in MODELS}
    seed(odoo, world)
    assert {model: _all(odoo, model, "write_date") for model in MODELS} == before


def test_orders_are_subscriptions_in_progress_with_the_worlds_dates(
    world: World, odoo: OdooRpcClient
) -> None:
    fields = (
        "state", "subscription_state", "is_subscription", "start_date", "next_invoice_date",
        "end_date", "x_fc_service_code", "x_fc_external_id", "x_fc_external_account_id",
        "x_fc_plan_code", "x_fc_billing_time", "amount_untaxed", "partner_id",
    )  # fmt: skip
    orders = {order["x_fc_external_id"]: order for order in _all(odoo, "sale.order", *fields)}
    partners = {p["id"]: p["ref"] for p in _all(odoo, "res.partner", "ref")}
    for sub in world.subscriptions:
        order = orders[sub.external_id]
        assert (order["state"], order["subscription_state"]) == ("sale", "3_progress")
        assert order["is_subscription"] is True
        assert order["start_date"] == sub.start_date.isoformat()
        assert order["next_invoice_date"] == sub.next_invoice_date.isoformat()
        assert order["end_date"] == (sub.end_date.isoformat() if sub.end_date else False)
        assert order["x_fc_service_code"] == sub.service_code
        assert order["x_fc_external_account_id"] == sub.external_account_id
        assert order["x_fc_plan_code"] == sub.plan_code
        assert order["x_fc_billing_time"] == sub.billing_time
        assert order["amount_untaxed"] == float(world.plan(sub.plan_code).base_fee)
        assert partners[order["partner_id"]] == sub.client_code


def test_the_catalogue_keeps_every_digit(world: World, odoo: OdooRpcClient) -> None:
    metrics = {m["id"]: m for m in _all(odoo, "x_fc_metric", "x_code", "x_aggregation")}
    products = {
        p["id"]: p
        for p in _all(
            odoo, "product.product", "default_code", "invoice_policy", "recurring_invoice"
        )
    }
    charges = {
        (c["x_plan_code"], c["x_code"]): c
        for c in _all(
            odoo, "x_fc_charge", "x_plan_code", "x_code", "x_metric_id", "x_unit_price",
            "x_included", "x_currency", "x_product_id",
        )
    }  # fmt: skip
    loads = charges["maps_growth", "map_loads"]
    assert (loads["x_unit_price"], loads["x_included"]) == ("0.0023", "10000")
    assert loads["x_currency"] == "CAD"
    assert metrics[loads["x_metric_id"]]["x_aggregation"] == "sum"
    product = products[loads["x_product_id"]]
    assert product["default_code"] == "maps_growth/map_loads"
    assert (product["invoice_policy"], product["recurring_invoice"]) == ("delivery", False)
    base = next(each for each in products.values() if each["default_code"] == "maps_growth/base")
    assert (base["invoice_policy"], base["recurring_invoice"]) == ("order", True)


def test_the_account_without_a_link(world: World, odoo: OdooRpcClient) -> None:
    linked = {
        (link["x_service_code"], link["x_external_account_id"])
        for link in _all(odoo, "x_fc_account_link", "x_service_code", "x_external_account_id")
    }
    missing = {(a.service_code, a.external_id) for a in world.accounts} - linked
    (planted,) = [p for p in world.planted if p.kind == "no_link"]
    assert missing == {(planted.service_code, planted.external_account_id)}


def test_taxes_follow_the_province_and_rates_the_business_day(
    world: World, odoo: OdooRpcClient
) -> None:
    """19.00 in Ontario is 2.47 of HST; the American client pays none. 2026-11-21 is a Saturday."""
    provinces = {client.code: client.province for client in world.clients}
    partners = {p["id"]: p["ref"] for p in _all(odoo, "res.partner", "ref")}
    taxed = Count(
        (provinces[partners[order["partner_id"]]], order["amount_tax"])
        for order in _all(odoo, "sale.order", "partner_id", "amount_tax", "amount_untaxed")
        if order["amount_untaxed"] == 19.0
    )
    assert taxed["ON", 2.47] > 20
    assert {tax for province, tax in taxed if province == "QC"} == {2.85}
    assert {o["amount_tax"] for o in _all(odoo, "sale.order", "partner_id", "amount_tax")
            if provinces[partners[o["partner_id"]]] == "NY"} == {0.0}  # fmt: skip
    rates = {rate["name"]: rate["rate"] for rate in _all(odoo, "res.currency.rate", "name", "rate")}
    assert max(rates) == "2026-11-20"
    assert min(rates) == "2026-08-24", "the first business day of the ten before September"
    assert all(0.71 < rate < 0.75 for rate in rates.values())
