"""A month of the gate: what it showed, and what of it keeps the gate shut."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from exports.cutover.phases import Phase


class Acceptable(StrEnum):
    """What somebody may answer for, where the gate cannot know."""

    MISSING_IN_APP = "missing_in_app"


@dataclass(frozen=True)
class MonthParity:
    """A closed month of the present stay in a phase; all zero where there is nothing to see.

    `unexplained` counts lines, `unexplained_amount` is in major units, without signs, of the
    currency in which it is most. `missing_in_app` is a part of `explained`, `base_fees_in_shadow`
    none of `lines`. `is_metered`: the service has counters, or charges in a plan that it bills.
    """

    month: dt.date
    lines: int = 0
    matched: int = 0
    explained: int = 0
    unexplained: int = 0
    not_compared: int = 0
    unexplained_amount: Decimal = Decimal(0)
    unlinked: int = 0
    missing_in_app: int = 0
    base_fees_in_shadow: int = 0
    is_metered: bool = True
    unattributed_counters: int = 0
    conservation_difference: Decimal | None = None  # the largest; None: no usage was judged
    not_billed: int = 0
    not_in_odoo: int = 0
    spoiled_drafts: int = 0
    not_in_marts: int = 0


@dataclass(frozen=True)
class Stay:
    """The present stay in a phase: `since` is the first day of the first period under it, and
    `decided_on` the day of the decision, in company time. Both None where all periods are under
    it: of a service's first phase every month counts."""

    phase: Phase
    since: dt.date | None = None
    decided_on: dt.date | None = None

    def against(self, month: dt.date) -> str | None:
        """Why the month is none of the stay. A part of a month is no closed month, and a month that
        was over when the decision was made was billed under another phase, whatever `since` says:
        else three decisions for a day long past would walk through all gates at once."""
        if self.since is not None and month < self.since:
            return f"it begins before this stay in {self.phase} does, on {self.since}"
        if self.decided_on is not None and next_month(month) <= self.decided_on:
            return f"it ended before this stay in {self.phase} was decided, on {self.decided_on}"
        return None


def next_month(day: dt.date) -> dt.date:
    """The first day of the month after."""
    return (day.replace(day=1) + dt.timedelta(days=31)).replace(day=1)


def reasons(
    month: MonthParity,
    service_code: str,
    stay: Stay,
    tolerance: Decimal,
    accepted: Acceptable | None,
) -> Iterator[str]:
    """All that speaks against a month; nothing where it holds."""
    if not_of_it := stay.against(month.month):
        yield not_of_it
        return
    yield from _of_the_app(month, service_code, stay.phase, accepted)
    if month.unexplained and not 0 < month.unexplained_amount <= tolerance:
        yield (
            f"{month.unexplained} lines are unexplained, {month.unexplained_amount:.2f} in all of a"
            f" currency (tolerance {tolerance:.2f}): `fusion-billing reconcile --month"
            f" {month.month:%Y-%m}`"
        )
    if month.unlinked:
        yield (
            f"{month.unlinked} lines of accounts without a link: Odoo, Usage billing, Usage account"
            " links"
        )
    if month.unattributed_counters:
        yield (
            f"{month.unattributed_counters} counters have no subscription or no linked account:"
            " make it in Odoo, then `fusion-billing odoo mirror` and `run`"
        )
    if month.conservation_difference:
        yield f"usage is not conserved, by up to {month.conservation_difference:f}: see the runbook"
    elif month.conservation_difference is None and month.is_metered:
        yield "no usage was judged: `fusion-billing run`"
    if month.not_billed:
        yield f"{month.not_billed} periods have ended and are not billed: `fusion-billing run`"
    if month.not_in_odoo:
        yield f"{month.not_in_odoo} lines are not in Odoo: `fusion-billing odoo push`"
    if month.spoiled_drafts:
        yield (
            f"{month.spoiled_drafts} drafted lines were confirmed, cancelled or edited in Odoo:"
            " ops.odoo_push has the reasons"
        )
    if month.not_in_marts:
        yield f"{month.not_in_marts} lines are newer than the marts: `fusion-billing reconcile`"


def _of_the_app(
    month: MonthParity, service_code: str, phase: Phase, accepted: Acceptable | None
) -> Iterator[str]:
    # All that a service without meters has in shadow are the app's base fees.
    if not month.lines and (month.is_metered or not month.base_fees_in_shadow):
        yield f"no lines of periods in {phase}"
    # Once Odoo bills, the old biller may be silent; before, there is nothing else to compare with.
    if phase is Phase.LIVE:
        return
    if month.not_compared:
        yield (
            f"{month.not_compared} of {month.lines} lines are not compared: `fusion-billing import`"
            " the app's invoices"
        )
    # One invoice of a month makes a line of every other customer's that is not imported yet.
    if month.missing_in_app and accepted is not Acceptable.MISSING_IN_APP:
        yield (
            f"{month.missing_in_app} of {month.lines} lines are missing in the app:"
            " `fusion-billing import` its other invoices, or, where it never billed them,"
            f" `fusion-billing cutover advance {service_code} --accept missing_in_app`"
        )
