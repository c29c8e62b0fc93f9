"""What apps ask for becomes one partner, one link, one order: on the double and on a real Odoo."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from asking import NOON, Asking
from odoo_world import World
from sqlalchemy.engine import Engine

from exports.commands.outcomes import ApplyBusyError
from warehouse.locks import session_lock

pytestmark = pytest.mark.odoo_real

DAY = timedelta(days=1)


@pytest.fixture
def asking(engine: Engine, world: World) -> Asking:
    """Nobody's commands but this test's."""
    with engine.begin() as connection:
        connection.execute(sa.text("truncate raw.command, ops.command_state"))
    return Asking(engine, world)


def email() -> str:
    return f"Billing_{uuid.uuid4().hex[:10]}@Maple.example"


def test_a_customer_becomes_a_partner_and_a_link(asking: Asking) -> None:
    address = email()
    asked = asking.customer(
        name="Maple Analytics",
        customer_type="company",
        email=address,
        phone="+1 416 555 0100",
        url="https://maple.example",
        address_line1="1 King St W",
        city="Toronto",
        zipcode="M5H 1A1",
        state="Ontario",
        country="CA",
        tax_identification_number=f"RT{asking.account[5:]}",
    )
    assert asking.apply().applied == 1
    partner = asking.partner(
        "name", "is_company", "email", "phone", "website", "street", "city", "zip", "vat",
        "country_id", "state_id",
    )  # fmt: skip
    assert partner["name"] == "Maple Analytics"
    assert partner["is_company"] is True
    assert (partner["email"], partner["phone"]) == (address, "+1 416 555 0100")
    assert partner["website"] == "https://maple.example"
    assert (partner["street"], partner["city"]) == ("1 King St W", "Toronto")
    assert partner["vat"] == f"RT{asking.account[5:]}"
    assert partner["country_id"] == asking.world.canada
    assert asking.world.read("res.country.state", partner["state_id"], "code")["code"] == "ON"
    state = asking.state(asked)
    assert (state["state"], state["odoo_partner_id"]) == ("applied", partner["id"])
    assert asking.apply().fates == []


def test_an_update_writes_what_the_app_changed_and_leaves_what_finance_did(asking: Asking) -> None:
    asking.customer(name="Maple", city="Toronto", phone="1")
    asking.apply()
    number = asking.partner("id")["id"]
    asking.client.write("res.partner", [number], {"phone": "2", "street": "Finance St 1"})
    asking.customer(name="Maple", city="Ottawa", phone="1")
    asking.apply()
    partner = asking.partner("city", "phone", "street", "name")
    assert (partner["id"], partner["city"]) == (number, "Ottawa")
    assert (partner["phone"], partner["street"]) == ("2", "Finance St 1")


def test_vat_comes_before_email_and_fills_only_what_is_empty(asking: Asking) -> None:
    vat, address = f"VAT-{uuid.uuid4().hex[:10]}", email()
    number = asking.world.partner(vat=vat, name="Finance's name", city="Kingston")
    asking.world.partner(email=address)
    asking.customer(name="App's name", city="Toronto", tax_identification_number=vat, email=address)
    asking.apply()
    partner = asking.partner("name", "city", "email")
    assert partner == {
        "id": number, "name": "Finance's name", "city": "Kingston", "email": address
    }  # fmt: skip


def test_an_email_matches_whatever_its_case_and_a_contact_is_its_company(asking: Asking) -> None:
    address = email()
    company = asking.world.partner(is_company=True)
    asking.world.make("res.partner", name="Contact", parent_id=company, email=address.upper())
    # `_` is no wildcard: this one is somebody else.
    asking.world.partner(email=address.replace("_", "x"))
    asking.customer(name="Whoever", email=address)
    asking.apply()
    assert asking.links()[0]["x_partner_id"] == company


def test_a_partner_that_was_found_is_not_rewritten(asking: Asking) -> None:
    """Whoever knows an e-mail address could redirect its owner's invoices."""
    address = email()
    number = asking.world.partner(email=address, name="Maple", street="1 King St W")
    asking.customer(name="Mallory", email=address)
    asking.apply()
    asking.customer(name="Mallory Inc", email="mallory@evil.example", address_line1="Evil St")
    asking.apply()
    partner = asking.partner("name", "email", "street")
    assert partner == {"id": number, "name": "Maple", "email": address, "street": "1 King St W"}


def test_a_customer_described_after_its_subscription_gets_its_name(asking: Asking) -> None:
    asking.subscription(asking.plan())
    asking.apply()
    assert asking.partner("name")["name"] == asking.account
    asking.customer(name="Real Company Ltd", city="Toronto")
    asking.apply()
    partner = asking.partner("name", "city")
    assert (partner["name"], partner["city"]) == ("Real Company Ltd", "Toronto")


def test_a_customer_that_moves_abroad_leaves_its_province(asking: Asking) -> None:
    asking.customer(name="Maple", country="CA", state="ON")
    asking.apply()
    asking.customer(name="Maple", country="US", state="ON", city="New York")
    asking.apply()
    partner = asking.partner("country_id", "state_id")
    assert partner["country_id"] != asking.world.canada
    assert partner["state_id"] is False


def test_an_address_without_a_province_is_told_with_the_subscription(asking: Asking) -> None:
    asking.customer(name="Maple", country="CA")
    asked = asking.subscription(asking.plan())
    asking.apply()
    state = asking.state(asked)
    assert state["state"] == "applied"
    assert state["reason"].startswith("no_tax_position: Maple has no province")


def test_an_end_that_finance_set_is_kept(asking: Asking) -> None:
    plan = asking.plan()
    asking.customer(name="Maple", country="CA", state="ON")
    asking.subscription(plan)
    asking.apply()
    (order,) = asking.orders()
    asking.client.write("sale.order", [order["id"]], {"end_date": "2026-09-15"})
    asking.subscription(plan, name="Another name")
    asking.apply()
    assert asking.orders()[0]["end_date"] == "2026-09-15"


def test_what_a_newer_command_settles_is_no_failure(asking: Asking) -> None:
    asking.customer(name="Maple")
    asking.customer(name="Maple Inc")
    result = asking.apply()
    assert (result.applied, result.superseded, result.refused) == (1, 1, 0)


def test_several_candidates_are_ambiguous_until_finance_makes_the_link(asking: Asking) -> None:
    address = email()
    first, second = asking.world.partner(email=address), asking.world.partner(email=address)
    asked = asking.customer(name="Maple", email=address)
    plan = asking.plan()
    ordered = asking.subscription(plan)
    assert asking.apply().ambiguous == 1
    state = asking.state(asked)
    assert state["state"] == "ambiguous"
    assert f"{first} (" in state["reason"]
    assert f"{second} (" in state["reason"]
    assert "account link" in state["reason"]
    waiting = asking.state(ordered)
    assert waiting["state"] == "pending"
    assert f"waits for command {asked}" in waiting["reason"]
    assert asking.links() == []

    asking.world.make(
        "x_fc_account_link",
        x_service_code=asking.service,
        x_external_account_id=asking.account,
        x_partner_id=second,
    )
    assert asking.apply().applied == 2
    assert asking.state(asked)["odoo_partner_id"] == second
    assert [order["partner_id"] for order in asking.orders()] == [second]


def test_an_email_of_somebody_with_another_vat_is_ambiguous(asking: Asking) -> None:
    address = email()
    asking.world.partner(email=address, vat=f"VAT-{uuid.uuid4().hex[:10]}")
    asked = asking.customer(name="Maple", email=address, tax_identification_number="ours")
    asking.apply()
    assert asking.state(asked)["state"] == "ambiguous"
    assert asking.links() == []


def test_two_services_of_one_client_share_its_partner(asking: Asking) -> None:
    address = email()
    other = Asking(asking.engine, asking.world, service="nexadesk")
    asking.customer(name="Maple", email=address)
    asking.apply()
    other.customer(name="Maple at desk", email=address)
    other.apply()
    assert asking.links()[0]["x_partner_id"] == other.links()[0]["x_partner_id"]


def test_a_province_that_odoo_does_not_know_is_refused_and_can_be_mended(asking: Asking) -> None:
    asked = asking.customer(name="Maple", country="CA", state="Ontarioo")
    assert asking.apply().refused == 1
    assert "Ontarioo" in asking.state(asked)["reason"]
    assert asking.apply().fates == []
    corrected = asking.customer(name="Maple", country="CA", state="ON")
    assert asking.apply().applied == 1
    assert asking.state(corrected)["state"] == "applied"
    asking.apply(refused=True)
    assert f"superseded by command {corrected}" in asking.state(asked)["reason"]


def test_a_subscription_becomes_a_confirmed_order(asking: Asking) -> None:
    plan = asking.plan(price=19.0)
    asking.customer(name="Maple")
    asked = asking.subscription(plan, name="Shop", billing_time="anniversary")
    assert asking.apply().applied == 2
    (order,) = asking.orders()
    assert order == {
        "id": order["id"],
        "state": "sale",
        "partner_id": asking.links()[0]["x_partner_id"],
        "plan_id": asking.world.plan,
        "start_date": "2026-09-15",
        "end_date": False,
        "next_invoice_date": "2026-09-15",
        "subscription_state": "3_progress",
        "client_order_ref": "Shop",
        "x_fc_plan_code": plan,
        "x_fc_service_code": "nexacloud",
        "x_fc_external_account_id": asking.account,
        "x_fc_billing_time": "anniversary",
    }
    lines = asking.world.lines(order["id"], "product_uom_qty", "price_unit")
    assert [(line["product_uom_qty"], line["price_unit"]) for line in lines] == [(1.0, 19.0)]
    assert asking.state(asked)["odoo_order_id"] == order["id"]
    assert asking.apply().fates == []


def test_the_lines_are_those_of_the_quotation_template(asking: Asking) -> None:
    plan = asking.plan()
    product = asking.world.product(list_price=7.5, recurring_invoice=True)
    asking.world.make(
        "sale.order.template",
        name=plan,
        sale_order_template_line_ids=[
            (0, 0, {"display_type": "line_section", "name": "Seats", "product_uom_qty": 0}),
            (0, 0, {"product_id": product, "product_uom_qty": 3}),
            (0, 0, {"product_id": product, "product_uom_qty": 9, "is_optional": True}),
        ],
    )
    asking.subscription(plan)
    asking.apply()
    (order,) = asking.orders()
    lines = asking.world.lines(order["id"], "product_id", "product_uom_qty", "price_unit")
    assert [(one["product_id"], one["product_uom_qty"], one["price_unit"]) for one in lines] == [
        (product, 3.0, 7.5)
    ]


def test_a_subscription_of_an_unknown_customer_makes_it(asking: Asking) -> None:
    asking.subscription(asking.plan())
    assert asking.apply().applied == 1
    assert asking.partner("name")["name"] == asking.account


def test_days_are_the_companys(asking: Asking) -> None:
    """02:00 UTC on the 1st is still the last day of the month before in Toronto; an end at local
    midnight is the day before it. Who began in the past was billed until now by somebody else."""
    plan = asking.plan()
    asking.subscription(
        plan,
        subscription_at="2026-07-01T02:00:00+00:00",
        ending_at="2026-12-01T05:00:00+00:00",
        billing_time="anniversary",
    )
    asking.subscription(plan, sub="c", subscription_at="2026-07-20")
    asking.subscription(plan, sub="later", subscription_at="2026-10-05")
    asking.apply()
    (order,) = asking.orders()
    assert (order["start_date"], order["end_date"]) == ("2026-06-30", "2026-11-30")
    assert order["next_invoice_date"] == "2026-08-30"
    (calendar,) = asking.orders("c")
    assert (calendar["start_date"], calendar["next_invoice_date"]) == ("2026-07-20", "2026-09-01")
    (later,) = asking.orders("later")
    assert (later["start_date"], later["next_invoice_date"]) == ("2026-10-05", "2026-10-05")


def test_a_plan_that_odoo_does_not_know_is_refused(asking: Asking) -> None:
    code = f"plan-{uuid.uuid4().hex[:8]}"
    asked = asking.subscription(code)
    later = asking.subscription(asking.plan(), sub="other")
    result = asking.apply()
    assert (result.refused, result.applied) == (1, 1)
    assert f"{code}/base" in asking.state(asked)["reason"]
    assert asking.state(later)["state"] == "applied"
    assert asking.orders() == []
    product = asking.world.product(default_code=f"{code}/base", recurring_invoice=True)
    asking.world.order(
        {"product_id": product}, plan_id=asking.world.plan,
        x_fc_plan_code=code, x_fc_billing_time="calendar",
    )  # fmt: skip
    assert asking.apply(refused=True).applied == 1
    assert len(asking.orders()) == 1


def test_an_upgrade_is_at_once(asking: Asking) -> None:
    small, large = asking.plan(19.0), asking.plan(49.0)
    asking.subscription(small, at=NOON - 40 * DAY)
    asking.apply()
    asking.subscription(large)
    asking.apply()
    old, new = asking.orders()
    assert (old["end_date"], old["x_fc_plan_code"]) == ("2026-09-14", small)
    assert (new["start_date"], new["x_fc_plan_code"]) == ("2026-09-15", large)
    assert (new["state"], new["next_invoice_date"]) == ("sale", "2026-09-15")


def test_a_downgrade_is_with_the_next_period_and_can_be_taken_back(asking: Asking) -> None:
    small, large = asking.plan(19.0), asking.plan(49.0)
    asking.subscription(large, at=NOON - 20 * DAY)
    asking.apply()
    (old,) = asking.orders()
    asking.client.write("sale.order", [old["id"]], {"next_invoice_date": "2026-10-01"})
    asking.subscription(small)
    asking.apply()
    old, new = asking.orders()
    assert old["end_date"] == "2026-09-30"
    assert (new["start_date"], new["next_invoice_date"]) == ("2026-10-01", "2026-10-01")
    asking.subscription(large, at=NOON + DAY)
    asking.apply()
    old, new = asking.orders()
    assert (old["end_date"], new["state"]) == (False, "cancel")


def test_another_plan_on_the_very_first_day(asking: Asking) -> None:
    first, second = asking.plan(19.0), asking.plan(19.0)
    asking.subscription(first)
    asking.subscription(second, at=NOON + timedelta(hours=1))
    asking.apply()
    old, new = asking.orders()
    assert (old["state"], new["state"]) == ("cancel", "sale")
    assert new["start_date"] == "2026-09-15"


def test_termination_is_todays_last_day_and_repeats_nothing(asking: Asking) -> None:
    plan = asking.plan()
    asking.subscription(plan, at=NOON - 9 * DAY)
    ended = asking.termination()
    assert asking.apply().applied == 2
    (order,) = asking.orders()
    assert (order["end_date"], order["state"]) == ("2026-09-15", "sale")
    # Left to Odoo, which closes it when it has invoiced the last usage.
    assert order["subscription_state"] == "3_progress"
    assert asking.state(ended)["odoo_order_id"] == order["id"]
    asking.termination(at=NOON + 3 * DAY)
    asking.apply()
    assert asking.orders()[0]["end_date"] == "2026-09-15"


def test_a_subscription_that_has_not_begun_is_cancelled(asking: Asking) -> None:
    asking.subscription(asking.plan(), subscription_at="2026-10-05")
    asking.termination()
    asking.apply()
    assert [order["state"] for order in asking.orders()] == ["cancel"]


def test_one_that_comes_back(asking: Asking) -> None:
    """On the day it ended it goes on; later it begins anew, and its past stays as it was."""
    plan = asking.plan()
    asking.subscription(plan, at=NOON - 9 * DAY)
    asking.termination()
    asking.subscription(plan, at=NOON + timedelta(hours=2))
    asking.apply()
    assert [order["end_date"] for order in asking.orders()] == [False]
    asking.termination(at=NOON + DAY)
    asking.subscription(plan, at=NOON + 5 * DAY, subscription_at="2026-09-01")
    asking.apply()
    old, new = asking.orders()
    assert (old["start_date"], old["end_date"]) == ("2026-09-06", "2026-09-16")
    assert (new["start_date"], new["end_date"]) == ("2026-09-17", False)


def test_an_id_that_another_customer_goes_on_with(asking: Asking) -> None:
    """Whichever of the two customers a pass comes to first."""
    plan = asking.plan()
    for first, second in (("a", "b"), ("b", "a")):
        tag = uuid.uuid4().hex[:8]
        old = Asking(asking.engine, asking.world, account=f"{first}-{tag}", subject=tag)
        new = Asking(asking.engine, asking.world, account=f"{second}-{tag}", subject=tag)
        old.subscription(plan, at=NOON - 9 * DAY)
        old.termination()
        new.subscription(plan, at=NOON + timedelta(hours=1))
        asking.apply()
        asking.apply()
        before, after = old.orders()
        assert (before["x_fc_external_account_id"], before["end_date"]) == (
            old.account,
            "2026-09-14",  # the day is the new customer's
        )
        assert (after["x_fc_external_account_id"], after["start_date"]) == (
            new.account,
            "2026-09-15",
        )


def test_an_order_that_finance_made_is_taken_over(asking: Asking) -> None:
    plan = asking.plan()
    partner = asking.world.partner()
    asking.world.make(
        "x_fc_account_link",
        x_service_code=asking.service,
        x_external_account_id=asking.account,
        x_partner_id=partner,
    )
    values: dict[str, Any] = {
        "partner_id": partner,
        "plan_id": asking.world.plan,
        "start_date": "2026-01-01",
        "x_fc_service_code": asking.service,
        "x_fc_external_id": asking.sub(),
        "x_fc_external_account_id": asking.account,
        "x_fc_plan_code": plan,
    }
    number = asking.world.order({"product_uom_qty": 1}, **values)
    asked = asking.subscription(plan, subscription_at="2026-03-01", name="Shop")
    asking.apply()
    (order,) = asking.orders()
    assert (order["id"], order["client_order_ref"]) == (number, "Shop")
    state = asking.state(asked)
    assert (state["state"], state["odoo_order_id"]) == ("applied", number)
    assert "began on 2026-01-01" in state["reason"]


def test_odoos_words_are_the_reason_and_other_customers_go_on(asking: Asking) -> None:
    plan = asking.plan()
    asking.subscription(plan, subscription_at="2026-10-05")
    asking.apply()
    (order,) = asking.orders()
    asking.client.call("sale.order", "action_lock", [order["id"]])
    ended = asking.termination()
    other = Asking(asking.engine, asking.world)
    fine = other.subscription(plan)
    result = asking.apply()
    assert (result.refused, result.applied) == (1, 1)
    assert asking.state(ended)["reason"] == (
        "You cannot cancel a locked order. Please unlock it first."
    )
    assert other.state(fine)["state"] == "applied"
    asking.client.call("sale.order", "action_unlock", [order["id"]])
    asking.apply(refused=True)
    assert [order["state"] for order in asking.orders()] == ["cancel"]


def test_a_rehearsal_changes_nothing(asking: Asking) -> None:
    asked = asking.customer(name="Maple", city="Toronto")
    result = asking.apply(dry_run=True)
    (fate,) = [fate for fate in result.fates if fate.command_id == asked]
    assert fate.reason is not None
    assert fate.reason.startswith("would make a res.partner: name Maple")
    assert asking.links() == []
    assert asking.state(asked) == {"state": "pending"}
    asking.apply()
    assert len(asking.links()) == 1


def test_one_pass_at_a_time(asking: Asking) -> None:
    with session_lock(asking.engine, "apply:here") as taken:
        assert taken
        with pytest.raises(ApplyBusyError):
            asking.apply()
