"""The orders of one subscription in Odoo: read, made, confirmed, ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from exports.commands.outcomes import CannotApplyError
from odoo_gateway.client import OdooClient, Record

ORDER = "sale.order"
_READ = (
    "name", "state", "locked", "partner_id", "client_order_ref", "invoice_ids",
    "x_fc_external_account_id", "x_fc_plan_code", "x_fc_billing_time", "x_fc_command_key",
)  # fmt: skip
# Enterprise's, or of a stand-in; without them an order has no dates and cannot end.
DATES = ("start_date", "next_invoice_date", "end_date")
_OPTIONAL = (*DATES, "subscription_state", "plan_id")
# Renewed: another order goes on with it. Upsell: adds to the order it grew from.
_NOT_RUNNING = ("5_renewed", "6_churn", "7_upsell")


@dataclass(frozen=True)
class Order:
    """One sale.order of the subscription; days are local, `end` is the last one of service."""

    number: int
    name: str
    state: str
    partner_id: int
    account_id: str
    plan_code: str
    billing_time: str
    reference: str
    command_key: str
    subscription_state: str
    start: date | None
    next_invoice: date | None
    end: date | None
    is_invoiced: bool

    @property
    def is_quotation(self) -> bool:
        return self.state in ("draft", "sent") and self.subscription_state != "7_upsell"

    @property
    def is_running(self) -> bool:
        """Confirmed, and not closed in Odoo; may begin later, or have a last day."""
        return self.state == "sale" and self.subscription_state not in _NOT_RUNNING

    def serves_on(self, day: date) -> bool:
        """Whether it is running and not over before `day`."""
        return self.is_running and (self.end is None or self.end >= day)


@dataclass(frozen=True)
class Book:
    """Reads and writes the orders of Odoo; `known` are the fields that sale.order has there."""

    client: OdooClient
    known: frozenset[str]

    @property
    def has_dates(self) -> bool:
        return self.known.issuperset(DATES)

    def of(self, service_code: str, external_id: str) -> list[Order]:
        """All orders of a subscription but cancelled ones, the one that began first at first."""
        rows = self.client.search_read(
            ORDER,
            [
                ("x_fc_service_code", "=", service_code),
                ("x_fc_external_id", "=", external_id),
                ("state", "!=", "cancel"),
            ],
            self._fields(),
        )
        orders = [_order(row) for row in rows]
        return sorted(orders, key=lambda order: (order.start or date.min, order.number))

    def by_command(self, key: str) -> Order | None:
        """The order that a command made, in whatever state it is."""
        rows = self.client.search_read(ORDER, [("x_fc_command_key", "=", key)], self._fields())
        return _order(rows[0]) if rows else None

    def _fields(self) -> list[str]:
        return [*_READ, *(name for name in _OPTIONAL if name in self.known)]

    def make(self, values: Mapping[str, Any]) -> None:
        """A quotation with these values, as far as this Odoo has such fields."""
        self.client.create(ORDER, [{k: v for k, v in values.items() if k in self.known}])

    def write(self, order: Order, values: Mapping[str, Any]) -> None:
        self.client.write(ORDER, [order.number], values)

    def confirm(self, order: Order) -> None:
        self.client.call(ORDER, "action_confirm", [order.number])

    def end(self, order: Order, last: date) -> None:
        """Makes `last` the order's last day of service, unless it ends earlier already.

        The order itself is closed by Odoo, when it has invoiced that day: closed now, the last
        usage would be invoiced by nobody. One that ends before it begins is cancelled instead.
        """
        if order.end is not None and order.end <= last:
            return
        if order.start is not None and last < order.start:
            if not order.is_invoiced:
                self.cancel(order)
                return
            last = order.start
        if "end_date" not in self.known:
            raise CannotApplyError(
                f"this Odoo's orders have no end date, so {order.name} cannot end: install"
                " Subscriptions, or close the order there"
            )
        if order.end != last:
            self.write(order, {"end_date": last.isoformat()})

    def cancel(self, order: Order) -> None:
        """Cancels an order that has served nobody."""
        self.client.call(ORDER, "action_cancel", [order.number])
        rows = self.client.search_read(ORDER, [("id", "=", order.number)], ["state"])
        if rows and rows[0]["state"] != "cancel":
            raise CannotApplyError(f"Odoo did not cancel {order.name}: cancel it there by hand")


def the_day_before(day: date) -> date:
    return day - timedelta(days=1)


def serving(orders: Sequence[Order], day: date) -> Order | None:
    """The order that serves on `day`, else the one that is to begin next."""
    running = [order for order in orders if order.serves_on(day)]
    begun = [order for order in running if order.start is None or order.start <= day]
    return begun[-1] if begun else next(iter(running), None)


def renewed_elsewhere(orders: Sequence[Order]) -> Order | None:
    """The last of them, where Odoo says that it was renewed: by an order without the id."""
    sold = [each for each in orders if each.state == "sale"]
    sold = [each for each in sold if each.subscription_state != "7_upsell"]
    return sold[-1] if sold and sold[-1].subscription_state == "5_renewed" else None


def _order(row: Record) -> Order:
    return Order(
        number=row["id"],
        name=row["name"],
        state=row["state"],
        partner_id=row["partner_id"],
        account_id=row["x_fc_external_account_id"] or "",
        plan_code=row["x_fc_plan_code"] or "",
        billing_time=row["x_fc_billing_time"] or "calendar",
        reference=row["client_order_ref"] or "",
        command_key=row["x_fc_command_key"] or "",
        subscription_state=row.get("subscription_state") or "",
        start=_day(row.get("start_date")),
        next_invoice=_day(row.get("next_invoice_date")),
        end=_day(row.get("end_date")),
        is_invoiced=bool(row["invoice_ids"]),
    )


def _day(value: Any) -> date | None:
    return date.fromisoformat(value) if value else None
