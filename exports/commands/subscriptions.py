"""A subscription into Odoo: one confirmed order a plan; a change of plan is the next order.

The rating takes, of all confirmed orders of a subscription, the one that began last: so the order
of the new plan begins on a day, and the order before it ends on the day before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from exports.commands.days import first_day, last_day, period_start
from exports.commands.offers import Offer, offer_of
from exports.commands.orders import DATES, Book, Order, renewed_elsewhere, serving, the_day_before
from exports.commands.outcomes import AGAIN, CannotApplyError
from exports.commands.queue import Command


@dataclass(frozen=True)
class Applied:
    """The order of a subscription, and what is to be told beside success."""

    order_id: int | None
    note: str | None = None


def apply_subscription(book: Book, command: Command, partner_id: int, zone: ZoneInfo) -> Applied:
    """Brings the subscription into Odoo. Safe to repeat from any point: the order that a command
    makes carries the command's key.

    Raises CannotApplyError, OdooRefusedError, OdooTransientError.
    """
    asked = command.received_at.astimezone(zone).date()
    own = book.by_command(command.key)
    orders = [
        order
        for order in book.of(command.service_code, command.external_id)
        if own is None or order.number != own.number
    ]
    if own is None:
        before = _before(command, orders, asked)
        _require_fitting(book, command, partner_id, before, orders)
        if before is not None and before.plan_code == command.payload["plan_code"]:
            return _updated(book, command, before, orders, zone)
        book.make(_values(book, command, partner_id, before, orders, zone))
        own = book.by_command(command.key)
        if own is None:
            raise CannotApplyError(f"Odoo made an order for {command.key} and does not show it")
    if own.state == "cancel":
        raise CannotApplyError(
            f"order {own.name} was cancelled in Odoo; to have the subscription all the same, set"
            f" it to quotation there, {AGAIN}"
        )
    if own.is_quotation:
        book.confirm(own)
        own = _with_dates(book, command, own)
    elif not _made_way(orders, own):
        own = _with_dates_of(book, command, partner_id, own, orders, zone)
    for order in orders:
        if order.is_running:
            book.end(order, the_day_before(own.start or asked))
    return Applied(own.number)


def apply_termination(book: Book, command: Command, zone: ZoneInfo) -> Applied:
    """Ends the subscription on the day it was asked; what has not begun by then is cancelled."""
    last = command.received_at.astimezone(zone).date()
    orders = book.of(command.service_code, command.external_id)
    _require_renewal(orders)
    for order in orders:
        if order.is_running:
            book.end(order, last)
        elif order.is_quotation and order.command_key:
            book.cancel(order)
    if not orders:
        return Applied(None, "Odoo has no order of this subscription: nothing to end")
    return Applied(orders[-1].number)


def _before(command: Command, orders: Sequence[Order], asked: date) -> Order | None:
    """The order that the new one follows."""
    before = serving(orders, asked)
    if before is not None and before.end == asked and not _is_same_client(command, before):
        return None  # it ends today, and another customer goes on with the id
    return before


def _is_same_client(command: Command, order: Order) -> bool:
    return order.account_id == command.external_customer_id


def _require_renewal(orders: Sequence[Order]) -> None:
    """A second order beside a renewal that nobody recognizes would bill the customer twice."""
    renewed = renewed_elsewhere(orders)
    if renewed is not None:
        raise CannotApplyError(
            f"order {renewed.name} was renewed in Odoo by an order without this subscription's id:"
            f" set x_fc_external_id and the other x_fc_* fields of {renewed.name} on the renewal,"
            f" {AGAIN}"
        )


def _require_fitting(
    book: Book,
    command: Command,
    partner_id: int,
    before: Order | None,
    orders: Sequence[Order],
) -> None:
    waiting = [order.name for order in orders if order.is_quotation]
    if waiting:
        raise CannotApplyError(
            f"quotation {waiting[0]} of this subscription waits in Odoo: confirm or cancel it,"
            f" {AGAIN}"
        )
    if before is None:
        _require_renewal(orders)
        return
    if not _is_same_client(command, before):
        raise CannotApplyError(
            f"order {before.name} of this subscription is account {before.account_id!r}'s, not"
            f" {command.external_customer_id!r}'s: end it there, {AGAIN}"
        )
    if before.partner_id != partner_id:
        raise CannotApplyError(
            f"order {before.name} is partner {before.partner_id}'s, but account"
            f" {command.external_customer_id!r} is linked to partner {partner_id}: mend the one or"
            f" the other in Odoo, {AGAIN}"
        )
    if before.plan_code != command.payload["plan_code"] and not book.has_dates:
        raise CannotApplyError(
            f"this Odoo's orders have no days, so {before.name} cannot end where another plan"
            f" begins: install Subscriptions, {AGAIN}"
        )


def _updated(
    book: Book, command: Command, order: Order, orders: Sequence[Order], zone: ZoneInfo
) -> Applied:
    """The same plan again. Its name and last day may be others; its first day stays, as in Lago.
    A change of plan that was to come, or an end asked for earlier that day, is taken back."""
    asked = command.received_at.astimezone(zone).date()
    coming = [each for each in orders if each.is_running and each.start and each.start > asked]
    coming = [each for each in coming if each.number != order.number]
    values: dict[str, Any] = {}
    name, ending = command.payload.get("name"), command.payload.get("ending_at")
    if name and order.reference != name:
        values["client_order_ref"] = name
    if book.has_dates:
        end = last_day(ending, zone) if ending else order.end
        taken_back = command.terminated_before and order.end == asked
        if not ending and (taken_back or _ends_for(order, coming)):
            end = None
        if end != order.end:
            values["end_date"] = end.isoformat() if end else False
    if values:
        book.write(order, values)
    for each in coming:  # after the order itself goes on: killed here, the next pass comes again
        book.end(each, asked)
    begins = command.payload.get("subscription_at")
    if begins and order.start and first_day(begins, zone) != order.start:
        return Applied(order.number, f"{order.name} began on {order.start}, which stays")
    return Applied(order.number)


def _ends_for(order: Order, coming: Sequence[Order]) -> bool:
    """Whether the order ends because another was to go on with the subscription."""
    return any(each.start and the_day_before(each.start) == order.end for each in coming)


def _values(
    book: Book,
    command: Command,
    partner_id: int,
    before: Order | None,
    orders: Sequence[Order],
    zone: ZoneInfo,
) -> dict[str, Any]:
    """The values of the new quotation."""
    asked = command.received_at.astimezone(zone).date()
    payload = command.payload
    rhythm = before.billing_time if before else "calendar"
    billing_time = payload.get("billing_time") or rhythm
    offer = offer_of(book.client, payload["plan_code"], billing_time)
    if before is not None:
        start = next_invoice = _day_of_change(book, before, offer, asked)
    else:
        begins = payload.get("subscription_at")
        start = _after(orders, first_day(begins, zone) if begins else asked, asked)
        next_invoice = _first_invoice(offer, start, asked, billing_time)
    ending = payload.get("ending_at")
    return {
        "partner_id": partner_id,
        "client_order_ref": payload.get("name") or command.external_id,
        "x_fc_command_key": command.key,
        "x_fc_service_code": command.service_code,
        "x_fc_external_id": command.external_id,
        "x_fc_external_account_id": command.external_customer_id,
        "x_fc_plan_code": payload["plan_code"],
        "x_fc_billing_time": billing_time,
        "start_date": start.isoformat(),
        "next_invoice_date": next_invoice.isoformat(),
        "end_date": last_day(ending, zone).isoformat() if ending else False,
        "order_line": [(0, 0, line) for line in offer.lines],
        **({"plan_id": offer.recurrence.plan_id} if offer.recurrence else {}),
    }


def _day_of_change(book: Book, before: Order, offer: Offer, asked: date) -> date:
    """As in Lago: at once where the new plan costs as much a year or more, else with the next
    period, whose first day is the day of the next invoice. Compared are list prices."""
    earliest = max(asked, before.start or asked)
    if before.next_invoice is None or before.next_invoice <= earliest:
        return earliest
    if before.end is not None and before.end < the_day_before(before.next_invoice):
        return earliest
    try:
        old = offer_of(book.client, before.plan_code, before.billing_time)
    except CannotApplyError:  # the old plan is not sold any more, so nothing is known of its price
        return earliest
    return earliest if offer.price_a_year >= old.price_a_year else before.next_invoice


def _after(orders: Sequence[Order], start: date, asked: date) -> date:
    """`start`, but not on a day that an earlier order of the subscription has served."""
    served = [order.end for order in orders if order.is_running and order.end]
    over = [end for end in served if end < asked]
    return max([start, *(end + timedelta(days=1) for end in over)])


def _first_invoice(offer: Offer, start: date, asked: date, billing_time: str) -> date:
    """The first day that Odoo is to invoice: a subscription that began in the past was billed
    until now by whoever billed it, so the period of the day it was asked for is the first."""
    if offer.recurrence is None:
        return max(start, asked)
    return period_start(
        start,
        asked,
        offer.recurrence.unit,
        offer.recurrence.value,
        calendar=billing_time == "calendar",
    )


def _with_dates(book: Book, command: Command, quotation: Order) -> Order:
    """The confirmed order, with the days that it had as a quotation: confirming may reset them."""
    confirmed = book.by_command(command.key)
    if confirmed is None or confirmed.state != "sale":
        raise CannotApplyError(f"Odoo did not confirm {quotation.name}: confirm it there, {AGAIN}")
    return _restored(book, confirmed, (quotation.start, quotation.next_invoice, quotation.end))


def _made_way(orders: Sequence[Order], own: Order) -> bool:
    """Whether the orders before it were ended for it already: that comes after its days."""
    running = [order for order in orders if order.is_running and order.end is not None]
    return any(order.end == the_day_before(own.start) for order in running if own.start)


def _with_dates_of(
    book: Book,
    command: Command,
    partner_id: int,
    own: Order,
    orders: Sequence[Order],
    zone: ZoneInfo,
) -> Order:
    """The same where the answer to the confirmation was lost: the days are worked out again, from
    what the first pass found."""
    if own.is_invoiced or not own.is_running or not book.has_dates:
        return own
    before = _before(command, orders, command.received_at.astimezone(zone).date())
    try:
        values = _values(book, command, partner_id, before, orders, zone)
    except CannotApplyError:  # the plan is not sold any more; the order is there all the same
        return own
    start, next_invoice, end = (
        date.fromisoformat(values[name]) if values[name] else None for name in DATES
    )
    return _restored(book, own, (start, next_invoice, end))


def _restored(
    book: Book, order: Order, days: tuple[date | None, date | None, date | None]
) -> Order:
    """`days` are the wanted ones, as DATES names them; None leaves what is there."""
    found = (order.start, order.next_invoice, order.end)
    wrong = {
        name: day.isoformat()
        for name, day, now in zip(DATES, days, found, strict=True)
        if day and day != now
    }
    if wrong:
        book.write(order, wrong)
    return replace(order, start=days[0] or order.start)
