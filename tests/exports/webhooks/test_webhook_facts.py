"""What counts as news, on mirrored records by hand: renewals, restarts, payments undone, dates."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from receivers import App
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Engine

from exports.webhooks.outbox import emit
from warehouse.tables import ODOO_TABLES

ZONE = ZoneInfo("America/Toronto")
NOVEMBER_1, NOVEMBER_15, DECEMBER_1 = date(2026, 11, 1), date(2026, 11, 15), date(2026, 12, 1)
_ids = itertools.count(1000)


@dataclass
class Mirror:
    """One service that listens, and Odoo's records as the mirror has them."""

    app: App
    today: date = NOVEMBER_15
    _seen: int = field(default=0)

    def put(self, table: str, number: int, deleted: bool = False, **record: Any) -> int:
        row = {
            "id": number,
            "record": {"id": number, **record},
            "write_date": sa.func.now(),
            "deleted_at": sa.func.now() if deleted else None,
        }
        statement = insert(ODOO_TABLES[table]).values(row)
        changed = {name: statement.excluded[name] for name in ("record", "deleted_at")}
        with self.app.engine.begin() as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["id"], set_=changed))
        return number

    def order(self, external_id: str, number: int | None = None, **changes: Any) -> int:
        record = {
            "name": "S1",
            "state": "sale",
            "subscription_state": "3_progress",
            "start_date": NOVEMBER_1.isoformat(),
            "end_date": False,
            "x_fc_service_code": self.app.code,
            "x_fc_external_id": external_id,
            "x_fc_external_account_id": "maple",
        }
        deleted = changes.pop("deleted", False)
        return self.put("subscription", number or next(_ids), deleted, **(record | changes))

    def invoice(self, order: int, number: int | None = None, **changes: Any) -> int:
        """A posted, unpaid invoice of 113.00 that is due on 1 December."""
        move = number or next(_ids)
        record = {
            "name": "INV/1",
            "move_type": "out_invoice",
            "state": "posted",
            "payment_state": "not_paid",
            "invoice_date": NOVEMBER_1.isoformat(),
            "invoice_date_due": DECEMBER_1.isoformat(),
            "amount_untaxed": 100.0,
            "amount_tax": 13.0,
            "amount_total": 113.0,
            "amount_residual": 113.0,
        }
        deleted = changes.pop("deleted", False)
        record |= changes
        self.put("invoice", move, deleted, **{k: v for k, v in record.items() if v is not None})
        self.put("order_line", order + 100_000, order_id=order)
        self.put(
            "invoice_line",
            move + 200_000,
            deleted,
            move_id=move,
            name="Base",
            quantity=1.0,
            price_subtotal=100.0,
            price_total=113.0,
            sale_line_ids=[order + 100_000],
        )
        return move

    def news(self, today: date | None = None) -> list[str]:
        """What a pass wrote down, as `type` or `type payment status`; a second finds nothing."""
        self.today = today or self.today
        emit(self.app.engine, self.today, ZONE)
        repeated = emit(self.app.engine, self.today, ZONE)
        assert (repeated.events, repeated.history) == ({}, 0)
        with self.app.engine.connect() as connection:
            rows = connection.execute(
                sa.text(
                    "select event_no, concat_ws(' ', webhook_type, payload::json -> 'invoice'"
                    " ->> 'payment_status') from ops.webhook_event"
                    " where service_code = :code and event_no > :seen order by event_no"
                ),
                {"code": self.app.code, "seen": self._seen},
            ).all()
        if rows:
            self._seen = rows[-1][0]
        return [row[1] for row in rows]


@pytest.fixture
def odoo(app: App, engine: Engine) -> Mirror:
    with engine.begin() as connection:
        connection.execute(sa.text("truncate ops.webhook_service"))
        for table in ODOO_TABLES.values():
            connection.execute(sa.delete(table))
    app.endpoint("https://hooks.example.com/", hours=-1)
    mirror = Mirror(app)
    assert mirror.news() == []
    return mirror


STARTED, ENDED = ["subscription.started"], ["subscription.terminated"]


def test_a_start_in_the_future_is_told_on_its_day(odoo: Mirror) -> None:
    odoo.order("s", start_date="2026-11-20")
    assert odoo.news() == []
    assert odoo.news(date(2026, 11, 19)) == []
    assert odoo.news(date(2026, 11, 20)) == STARTED


def test_the_end_date_is_the_last_day_of_service(odoo: Mirror) -> None:
    odoo.order("s", end_date="2026-11-20")
    assert odoo.news() == STARTED
    assert odoo.news(date(2026, 11, 20)) == []
    assert odoo.news(date(2026, 11, 21)) == ENDED


@pytest.mark.parametrize(
    "change",
    [
        {"subscription_state": "6_churn"},
        {"state": "cancel"},
        {"state": "draft"},
        {"deleted": True},
        {"x_fc_external_id": False},
        {"x_fc_service_code": False},
        {"start_date": "2026-10-01", "end_date": "2026-11-14"},
    ],
    ids=str,
)
def test_whatever_ends_a_subscription_ends_it_once(odoo: Mirror, change: dict[str, Any]) -> None:
    order = odoo.order("s")
    assert odoo.news() == STARTED
    odoo.order("s", order, **change)
    assert odoo.news() == ENDED


@pytest.mark.parametrize(
    "change",
    [
        {"subscription_state": "4_paused"},
        {"subscription_state": False},
        {"x_fc_plan_code": "desk_pro"},
        {"next_invoice_date": "2026-12-01"},
    ],
    ids=str,
)
def test_what_does_not_end_a_subscription_is_no_news(odoo: Mirror, change: dict[str, Any]) -> None:
    order = odoo.order("s")
    assert odoo.news() == STARTED
    odoo.order("s", order, **change)
    assert odoo.news() == []


@pytest.mark.parametrize("change", [{"state": "draft"}, {"state": "cancel"}], ids=str)
def test_a_quotation_never_started(odoo: Mirror, change: dict[str, Any]) -> None:
    odoo.order("s", subscription_state="1_draft", **change)
    assert odoo.news() == []


def test_a_renewal_is_neither_an_end_nor_a_start(odoo: Mirror) -> None:
    order = odoo.order("s")
    assert odoo.news() == STARTED
    odoo.order("s", order, subscription_state="5_renewed", end_date="2026-11-30")
    odoo.order("s", start_date="2026-12-01")
    assert odoo.news() == []
    assert odoo.news(DECEMBER_1) == []


@pytest.mark.parametrize("end", [False, "2026-11-10"])
def test_a_renewal_without_the_id_is_no_end(odoo: Mirror, end: Any) -> None:
    """Odoo copies no x_fc_external_id: the renewal is not seen, and its customer goes on paying.
    Given the id, it goes on as if it had had it, and its own end is told."""
    order = odoo.order("s")
    assert odoo.news() == STARTED
    odoo.order("s", order, subscription_state="5_renewed", end_date=end)
    assert odoo.news() == []
    assert odoo.news(DECEMBER_1) == []
    renewal = odoo.order("s", start_date="2026-12-01")
    assert odoo.news() == []
    odoo.order("s", renewal, start_date="2026-12-01", subscription_state="6_churn")
    assert odoo.news() == ENDED


def test_a_lone_renewed_order_is_no_news_at_all(odoo: Mirror) -> None:
    odoo.order("s", subscription_state="5_renewed", end_date="2026-11-10")
    assert odoo.news() == []


def test_a_renewed_order_that_is_cancelled_has_ended(odoo: Mirror) -> None:
    order = odoo.order("s")
    assert odoo.news() == STARTED
    odoo.order("s", order, subscription_state="5_renewed", state="cancel")
    assert odoo.news() == ENDED


def test_a_subscription_that_comes_back_starts_again(odoo: Mirror) -> None:
    order = odoo.order("s")
    assert odoo.news() == STARTED
    odoo.order("s", order, subscription_state="6_churn")
    assert odoo.news() == ENDED
    odoo.order("s", order)
    assert odoo.news() == STARTED
    odoo.order("s", order, subscription_state="6_churn")
    assert odoo.news() == ENDED
    odoo.order("s")
    assert odoo.news() == STARTED


def test_what_began_and_ended_between_two_looks_has_ended(odoo: Mirror) -> None:
    odoo.order("s", subscription_state="6_churn")
    assert odoo.news() == ENDED


def test_a_subscription_that_moves_to_another_id_ends_and_starts(odoo: Mirror) -> None:
    order = odoo.order("before")
    assert odoo.news() == STARTED
    odoo.order("after", order)
    assert odoo.news() == STARTED + ENDED


CREATED = ["invoice.created pending"]
OVERDUE = ["invoice.payment_overdue pending"]
PAID = ["invoice.payment_status_updated succeeded"]
FAILED = ["invoice.payment_status_updated failed"]
VOIDED = ["invoice.voided pending"]


@pytest.fixture
def order(odoo: Mirror) -> int:
    order = odoo.order("s")
    assert odoo.news() == STARTED
    return order


def test_an_invoice_is_overdue_after_its_due_date_and_once(odoo: Mirror, order: int) -> None:
    move = odoo.invoice(order)
    assert odoo.news() == CREATED
    assert odoo.news(DECEMBER_1) == []
    assert odoo.news(date(2026, 12, 2)) == OVERDUE
    assert odoo.news(date(2026, 12, 20)) == []
    odoo.invoice(order, move, invoice_date_due="2026-12-31")
    assert odoo.news() == []
    assert odoo.news(date(2027, 1, 1)) == OVERDUE, "a new term, and it passed as well"


@pytest.mark.parametrize("due", [False, None])
def test_without_a_due_date_nothing_is_overdue(odoo: Mirror, order: int, due: bool | None) -> None:
    """None: the mirror does not have the field at all."""
    odoo.invoice(order, invoice_date_due=due)
    assert odoo.news(date(2027, 6, 1)) == CREATED


@pytest.mark.parametrize("state", ["paid", "in_payment"])
def test_a_payment_that_is_undone_has_failed(odoo: Mirror, order: int, state: str) -> None:
    move = odoo.invoice(order)
    assert odoo.news() == CREATED
    odoo.invoice(order, move, payment_state=state, amount_residual=0.0)
    assert odoo.news() == PAID
    odoo.invoice(order, move, payment_state="paid", amount_residual=0.0)
    assert odoo.news() == []
    odoo.invoice(order, move)
    assert odoo.news() == FAILED
    odoo.invoice(order, move, payment_state=state, amount_residual=0.0)
    assert odoo.news() == PAID
    odoo.invoice(order, move, payment_state="partial", amount_residual=3.0)
    assert odoo.news() == FAILED


@pytest.mark.parametrize(
    "change", [{"state": "cancel"}, {"deleted": True}, {"payment_state": "reversed"}], ids=str
)
def test_an_invoice_that_is_taken_back_is_void(
    odoo: Mirror, order: int, change: dict[str, Any]
) -> None:
    """An app that suspended for it must hear that nothing is owed any more."""
    move = odoo.invoice(order)
    assert odoo.news() == CREATED
    assert odoo.news(date(2026, 12, 2)) == OVERDUE
    odoo.invoice(order, move, **change)
    assert odoo.news() == VOIDED
    odoo.invoice(order, move, invoice_date_due="2026-12-31")
    assert odoo.news() == CREATED, "posted once more"
    odoo.invoice(order, move, **change)
    assert odoo.news() == VOIDED


@pytest.mark.parametrize(
    "change",
    [
        {"state": "draft"},
        {"state": "cancel"},
        {"move_type": "out_refund"},
        {"payment_state": "reversed"},
        {"deleted": True},
    ],
    ids=str,
)
def test_what_is_no_posted_invoice_is_not_told(
    odoo: Mirror, order: int, change: dict[str, Any]
) -> None:
    odoo.invoice(order, **change)
    assert odoo.news(date(2027, 1, 1)) == []


def test_a_draft_for_a_correction_is_no_news(odoo: Mirror, order: int) -> None:
    move = odoo.invoice(order)
    assert odoo.news() == CREATED
    odoo.invoice(order, move, state="draft")
    assert odoo.news() == []
    odoo.invoice(order, move)
    assert odoo.news() == []


def test_an_invoice_that_is_paid_when_first_seen_is_created_then_paid(
    odoo: Mirror, order: int
) -> None:
    odoo.invoice(order, payment_state="paid", amount_residual=0.0)
    assert odoo.news(date(2027, 1, 1)) == ["invoice.created succeeded", *PAID]


def test_invoices_of_orders_without_a_service_are_nobodys(odoo: Mirror) -> None:
    order = odoo.order("s", x_fc_service_code=False)
    odoo.invoice(order)
    assert odoo.news() == []
