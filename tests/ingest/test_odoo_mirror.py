"""The mirror, from the double of Odoo over HTTP into real jsonb."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ingest.odoo_mirror import (
    BILLING,
    MASTER,
    MassDeletionError,
    MirrorCount,
    Mirrored,
    mirror,
    passes,
)
from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect
from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from sandbox.odoo.launch import running_double
from warehouse.tables import ODOO_TABLES

D = Decimal
BY_TABLE = {model.table: model for model in MASTER + BILLING}


def _log_in(url: str) -> OdooClient:
    return connect(url, "fusion", "admin", "admin", timeout=30)


@pytest.fixture(scope="module")
def bare() -> Iterator[OdooClient]:
    """An Odoo without our fields and models, until a test makes them."""
    with (
        tempfile.TemporaryDirectory(prefix="fusion-odoo-") as folder,
        running_double(Path(folder) / "odoo.db", db="fusion") as url,
    ):
        yield _log_in(url)


@pytest.fixture(scope="module")
def client(bare: OdooClient) -> OdooClient:
    bootstrap(bare)
    return bare


def one(engine: Engine, client: OdooClient, table: str) -> MirrorCount:
    return mirror(engine, client, [BY_TABLE[table]])[table]


def landed(engine: Engine, table: str, number: int) -> dict[str, Any]:
    with engine.connect() as connection:
        row = connection.execute(
            sa.select(ODOO_TABLES[table]).where(ODOO_TABLES[table].c.id == number)
        ).mappings()
        return dict(row.one())


def metric(client: OdooClient, code: str) -> int:
    values = {"x_name": code, "x_code": code, "x_aggregation": "sum", "x_unit": "h"}
    return client.create("x_fc_metric", [values])[0]


def test_a_model_that_is_missing_names_the_bootstrap(engine: Engine, bare: OdooClient) -> None:
    """Runs first: a new Odoo has none of our models."""
    if "x_fc_line_key" in bare.fields_get("sale.order.line"):
        pytest.skip("the Odoo of this module is bootstrapped already")
    with pytest.raises(OdooRefusedError, match=r"x_fc_metric.*fusion-billing odoo bootstrap"):
        one(engine, bare, "metric")
    with pytest.raises(
        OdooRefusedError,
        match=r"sale\.order\.line has no x_fc_line_key, .*Run `fusion-billing odoo bootstrap`",
    ):
        one(engine, bare, "order_line")


def test_one_field_that_is_missing_is_named(engine: Engine, client: OdooClient) -> None:
    wanted = Mirrored("metric", "x_fc_metric", ("x_code", "x_weight", "x_colour"))
    with pytest.raises(OdooRefusedError, match=r"x_fc_metric has no x_weight, x_colour\. .*boots"):
        mirror(engine, client, [wanted])


def test_a_model_that_the_key_may_not_read_keeps_odoos_words(
    engine: Engine, client: OdooClient
) -> None:
    with pytest.raises(OdooRefusedError, match="no_such_model"):
        mirror(engine, client, [Mirrored("metric", "no_such_model", ("name",))])


def test_everything_lands_and_a_second_pass_changes_nothing(
    engine: Engine, client: OdooClient
) -> None:
    metric(client, "compute_hours")
    first = mirror(engine, client)
    assert set(first) == set(ODOO_TABLES)
    assert first["metric"].read == first["metric"].changed >= 1
    assert first["product"] == MirrorCount(0, 0, 0)
    with engine.connect() as connection:
        before = connection.execute(sa.select(ODOO_TABLES["partner"])).all()
    second = mirror(engine, client)
    for table, count in second.items():
        assert count == MirrorCount(read=first[table].read, changed=0, deleted=0), table
    with engine.connect() as connection:
        assert connection.execute(sa.select(ODOO_TABLES["partner"])).all() == before


def test_a_record_is_what_rpc_returned(engine: Engine, client: OdooClient) -> None:
    """many2one as a bare id, unset as false, write_date in UTC beside it."""
    (partner,) = client.create("res.partner", [{"name": "Érable inc.", "email": "a@example.com"}])
    one(engine, client, "partner")
    row = landed(engine, "partner", partner)
    (found,) = client.search_read("res.partner", [("id", "=", partner)], ["write_date"])
    assert row["record"] == {
        "id": partner,
        "name": "Érable inc.",
        "email": "a@example.com",
        "vat": False,
        "country_id": False,
        "state_id": False,
        "active": True,
        "write_date": found["write_date"],
    }
    assert f"{row['write_date']:%Y-%m-%d %H:%M:%S %z}" == f"{found['write_date']} +0000"
    assert row["deleted_at"] is None


def test_a_changed_record_is_replaced_alone(engine: Engine, client: OdooClient) -> None:
    first, second = metric(client, "storage_gb"), metric(client, "messages")
    one(engine, client, "metric")
    before = landed(engine, "metric", second)
    client.write("x_fc_metric", [first], {"x_unit": "GB"})
    count = one(engine, client, "metric")
    assert (count.changed, count.deleted) == (1, 0)
    assert landed(engine, "metric", first)["record"]["x_unit"] == "GB"
    assert landed(engine, "metric", second) == before


def test_a_deleted_record_is_marked_once_and_kept(engine: Engine, client: OdooClient) -> None:
    gone = metric(client, "gone")
    one(engine, client, "metric")
    client.call("x_fc_metric", "unlink", [gone])
    assert one(engine, client, "metric").deleted == 1
    marked = landed(engine, "metric", gone)
    assert marked["deleted_at"] is not None
    assert marked["record"]["x_code"] == "gone"
    assert one(engine, client, "metric").deleted == 0
    assert landed(engine, "metric", gone) == marked


def test_a_record_that_comes_back_is_alive_again(engine: Engine, client: OdooClient) -> None:
    """Unchanged but for having left the mirror's domain and returned."""
    (partner,) = client.create("res.partner", [{"name": "Client"}])
    (order,) = client.create("sale.order", [{"partner_id": partner, "x_fc_external_id": "sub_1"}])
    one(engine, client, "subscription")
    client.write("sale.order", [order], {"x_fc_external_id": False})
    assert one(engine, client, "subscription").deleted == 1
    client.write("sale.order", [order], {"x_fc_external_id": "sub_1"})
    assert one(engine, client, "subscription").changed == 1
    assert landed(engine, "subscription", order)["deleted_at"] is None


def test_archived_records_are_mirrored_too(engine: Engine, client: OdooClient) -> None:
    values = {"name": "Old plan", "billing_period_value": 1, "active": False}
    (plan,) = client.create("sale.subscription.plan", [values])
    one(engine, client, "plan")
    row = landed(engine, "plan", plan)
    assert (row["record"]["active"], row["deleted_at"]) == (False, None)


def test_small_floats_land_digit_for_digit(engine: Engine, client: OdooClient) -> None:
    rates = ["0.0023", "0.0000001", "1e-07", "0.1", "1234567.891", "0.30000000000000004"]
    (currency,) = client.search_read("res.currency", [("name", "=", "USD")], ["id"])
    ids = client.create(
        "res.currency.rate",
        [
            {"name": f"2025-01-0{day}", "currency_id": currency["id"], "rate": float(rate)}
            for day, rate in enumerate(rates, start=1)
        ],
    )
    one(engine, client, "currency_rate")
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("select id, (record ->> 'rate')::numeric as rate from raw.odoo_currency_rate")
        )
        found = {row.id: row.rate for row in rows}
    assert [found[number] for number in ids] == [D(rate) for rate in rates]


def test_pages_join_without_a_gap(
    engine: Engine, client: OdooClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pages in (3, 2):
        for number in range(6):
            metric(client, f"paged_{pages}_{number}")
    wanted = {row["id"] for row in client.search_read("x_fc_metric", [], ["id"])}
    for page in (1, 3, len(wanted) - 1, len(wanted), len(wanted) + 1):
        monkeypatch.setattr(passes, "PAGE", page)
        with engine.begin() as connection:
            connection.execute(sa.delete(ODOO_TABLES["metric"]))
        count = one(engine, client, "metric")
        assert count == MirrorCount(read=len(wanted), changed=len(wanted), deleted=0)
        with engine.connect() as connection:
            assert (
                set(connection.execute(sa.select(ODOO_TABLES["metric"].c.id)).scalars()) == wanted
            )


def test_an_odoo_that_goes_away_between_pages_deletes_nothing_and_is_read_on(
    engine: Engine, client: OdooClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a pass must not mark the other half as deleted, and the next pass reads that half."""
    metric(client, "before_the_break")
    one(engine, client, "metric")
    with engine.connect() as connection:
        began = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    ids = [row["id"] for row in client.search_read("x_fc_metric", [], ["id"])]
    client.write("x_fc_metric", [ids[0], ids[1]], {"x_unit": "changed"})
    monkeypatch.setattr(passes, "PAGE", 1)

    class Breaking:
        """Every call goes through, until the second page."""

        pages = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(client, name)

        def search_read(self, *args: Any, **kwargs: Any) -> Sequence[dict[str, Any]]:
            self.pages += 1
            if self.pages == 2:
                raise OdooTransientError("Odoo cannot be reached")
            return client.search_read(*args, **kwargs)

    with pytest.raises(OdooTransientError):
        mirror(engine, Breaking(), [BY_TABLE["metric"]])
    assert landed(engine, "metric", ids[0])["record"]["x_unit"] == "changed"
    assert landed(engine, "metric", ids[1])["record"]["x_unit"] != "changed"
    with engine.connect() as connection:
        gone = sa.select(ODOO_TABLES["metric"]).where(ODOO_TABLES["metric"].c.deleted_at >= began)
        assert connection.execute(gone).all() == []
    count = one(engine, client, "metric")
    assert count == MirrorCount(read=len(ids) - 1, changed=1, deleted=0)
    assert landed(engine, "metric", ids[1])["record"]["x_unit"] == "changed"


def test_an_order_line_and_its_invoice(engine: Engine, client: OdooClient) -> None:
    """Only lines of our subscriptions, and only customers' invoices with their product lines."""
    usage = {"name": "Usage", "type": "service", "invoice_policy": "delivery"}
    (product,) = client.create("product.product", [usage])
    (partner,) = client.create("res.partner", [{"name": "Client"}])
    ours, other = client.create(
        "sale.order",
        [{"partner_id": partner, "x_fc_external_id": "sub_2"}, {"partner_id": partner}],
    )
    client.call("sale.order", "action_confirm", [ours, other])
    line, _ = client.create(
        "sale.order.line",
        [
            {
                "order_id": order,
                "product_id": product,
                "product_uom_qty": 0,
                "qty_delivered": 30.5,
                "price_unit": 0.12,
                "x_fc_line_key": key,
            }
            for order, key in ((ours, "key_1"), (other, False))
        ],
    )
    wizard = {"sale_order_ids": [(6, 0, [ours])], "advance_payment_method": "delivered"}
    ids = client.create("sale.advance.payment.inv", [wizard])
    client.call("sale.advance.payment.inv", "create_invoices", ids)
    counts = mirror(engine, client, BILLING)
    assert [counts[table].read for table in ("order_line", "invoice", "invoice_line")] == [1, 1, 1]
    record = landed(engine, "order_line", line)["record"]
    assert (record["x_fc_line_key"], record["qty_delivered"]) == ("key_1", 30.5)
    with engine.connect() as connection:
        move = connection.execute(sa.select(ODOO_TABLES["invoice"].c.record)).scalar_one()
        move_line = connection.execute(sa.select(ODOO_TABLES["invoice_line"].c.record)).scalar_one()
    assert (move["move_type"], move["amount_untaxed"]) == ("out_invoice", 3.66)
    assert (move_line["sale_line_ids"], move_line["move_id"]) == ([line], move["id"])


def test_a_lines_days_of_service_are_mirrored_where_odoo_has_them(
    engine: Engine, client: OdooClient
) -> None:
    """Enterprise's accounting writes them on recurring lines; Community has no such fields."""
    lines = BY_TABLE["invoice_line"]
    product, partner = (
        client.create(model, [{"name": "Yearly"}])[0]
        for model in ("product.product", "res.partner")
    )
    yearly = {"deferred_start_date": "2026-09-01", "deferred_end_date": "2027-08-31"}
    line = {"product_id": product, "price_unit": 365.0, **yearly}
    values = {"move_type": "out_invoice", "partner_id": partner, "invoice_line_ids": [(0, 0, line)]}
    (move,) = client.create("account.move", [values])
    found = client.search_read(
        "account.move.line", [("move_id", "=", move), ("display_type", "=", "product")], ["id"]
    )
    number = found[0]["id"]
    mirror(engine, client, [lines])
    assert yearly.items() <= landed(engine, "invoice_line", number)["record"].items()
    mirror(engine, client, [replace(lines, enterprise_fields=("deferred_by_nobody",))])
    assert not yearly.keys() & landed(engine, "invoice_line", number)["record"].keys()


def test_most_records_gone_at_once_are_not_believed(engine: Engine, client: OdooClient) -> None:
    """An access right taken away by mistake looked like a deletion, and the next billing run would
    have credited the whole ledger."""
    numbers = [metric(client, f"mass_{number}") for number in range(30)]
    one(engine, client, "metric")
    client.call("x_fc_metric", "unlink", numbers)
    with pytest.raises(MassDeletionError, match=r"no longer shows 30 of .*--accept-deletions"):
        one(engine, client, "metric")
    assert landed(engine, "metric", numbers[0])["deleted_at"] is None
    accepted = mirror(engine, client, [BY_TABLE["metric"]], accept_deletions=True)["metric"]
    assert accepted.deleted == 30
    assert landed(engine, "metric", numbers[0])["deleted_at"] is not None


def test_tiers_land_with_their_charge(engine: Engine, client: OdooClient) -> None:
    """A tier that is taken out of its charge, or goes with it, is marked as deleted."""
    (product,) = client.create("product.product", [{"name": "Hours", "type": "service"}])
    tiers = [{"x_from": "0", "x_to": "100"}, {"x_from": "101", "x_unit_price": "0.0023"}]
    values = {
        "x_name": "Hours",
        "x_code": "tiered",
        "x_plan_code": "p",
        "x_metric_id": metric(client, "tiered"),
        "x_charge_model": "graduated",
        "x_currency": "CAD",
        "x_product_id": product,
        "x_prorated": True,
        "x_valid_from": "2026-10-01",
        "x_tier_ids": [(0, 0, tier) for tier in tiers],
    }
    (charge,) = client.create("x_fc_charge", [values])
    assert one(engine, client, "charge_tier").read == 2
    one(engine, client, "charge")
    record = landed(engine, "charge", charge)["record"]
    assert (record["x_prorated"], record["x_valid_from"]) == (True, "2026-10-01")
    assert (record["x_valid_to"], record["x_filter"]) == (False, False)
    rows = client.search_read("x_fc_charge_tier", [("x_charge_id", "=", charge)], ["id"])
    first, second = (landed(engine, "charge_tier", row["id"]) for row in rows)
    assert {first["record"]["x_charge_id"], second["record"]["x_charge_id"]} == {charge}
    assert (second["record"]["x_unit_price"], second["record"]["x_to"]) == ("0.0023", False)
    client.write("x_fc_charge", [charge], {"x_tier_ids": [(2, second["id"], 0)]})
    assert one(engine, client, "charge_tier").deleted == 1
    client.call("x_fc_charge", "unlink", [charge])
    assert one(engine, client, "charge_tier").deleted == 1
    assert landed(engine, "charge_tier", first["id"])["deleted_at"] is not None
