"""Margins as a person asks for them: by service, account, plan or metric, on one of two bases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Engine


class MarginsError(Exception):
    """There are no margins to read; the message names the command that makes them."""


class By(StrEnum):
    """What a row of the answer is of, beside its month and service."""

    SERVICE = "service"
    ACCOUNT = "account"
    PLAN = "plan"
    METRIC = "metric"


class Basis(StrEnum):
    """accrual: by the days of use and service; invoiced: by Odoo's posted invoices."""

    ACCRUAL = "accrual"
    INVOICED = "invoiced"


_DIMENSION = {
    By.SERVICE: "null::text",
    By.ACCOUNT: "account_key",
    By.PLAN: "plan_code",
    By.METRIC: "metric_code",
}
_REVENUE = {
    Basis.ACCRUAL: ("usage_revenue", "base_revenue"),
    Basis.INVOICED: ("invoiced_usage", "invoiced_base"),
}
_SUMS = """
    select month, service_code, {dimension} as dimension,
        -- What has no exchange rate makes the sum unknown.
        case when count({usage}) = count(*) then sum({usage}) end as usage_revenue,
        case when count({base}) = count(*) then sum({base}) end as base_revenue,
        case when count(cogs) = count(*) then sum(cogs) end as cogs,
        min(currency) as currency
    from marts.fct_margin_monthly
    where
        (cast(:service as text) is null or service_code = :service)
        and (
            cast(:month as date) is null
            or month in (:month, cast(:month as date) - interval '1 month')
        )
    group by 1, 2, 3
    order by 1 desc, 2 nulls last, 3 nulls last
"""


@dataclass(frozen=True)
class Margin:
    """A month's margin in company currency. `dimension` is an account, plan or metric; None where
    the amounts have none (base fees have no metric, unexplained cost no account), and by service.
    An amount is None where a part of it has no exchange rate.
    """

    month: dt.date
    service_code: str | None
    dimension: str | None
    usage_revenue: Decimal | None
    base_revenue: Decimal | None
    cogs: Decimal | None
    currency: str

    @property
    def revenue(self) -> Decimal | None:
        if self.usage_revenue is None or self.base_revenue is None:
            return None
        return self.usage_revenue + self.base_revenue

    @property
    def margin(self) -> Decimal | None:
        return difference(self.revenue, self.cogs)

    @property
    def margin_pct(self) -> Decimal | None:
        """100 × margin / revenue to two decimals, as the marts round it; None without revenue."""
        if self.margin is None or self.revenue is None or self.revenue <= 0:
            return None
        with localcontext(prec=60):  # a cent of revenue beside a cost of many digits
            return (100 * self.margin / self.revenue).quantize(Decimal("0.01"), ROUND_HALF_UP)


@dataclass(frozen=True)
class Compared:
    """A margin and that of the same thing in the month before, where there was one."""

    margin: Margin
    before: Margin | None

    @property
    def margin_change(self) -> Decimal | None:
        return difference(self.margin.margin, self.before.margin if self.before else None)

    @property
    def margin_pct_change(self) -> Decimal | None:
        """In points."""
        return difference(self.margin.margin_pct, self.before.margin_pct if self.before else None)


def difference(left: Decimal | None, right: Decimal | None) -> Decimal | None:
    """None where either is unknown."""
    return None if left is None or right is None else left - right


def margins(
    engine: Engine,
    *,
    by: By = By.SERVICE,
    basis: Basis = Basis.ACCRUAL,
    month: dt.date | None = None,
    service: str | None = None,
) -> list[Compared]:
    """The margins as of the last build, newest month first; of `month` (its first day) alone, or of
    `service` alone, where given.

    Raises MarginsError where the marts are not built, or were built by another version.
    """
    usage, base = _REVENUE[basis]
    statement = sa.text(_SUMS.format(dimension=_DIMENSION[by], usage=usage, base=base))
    try:
        with engine.connect() as connection:
            rows = connection.execute(statement, {"month": month, "service": service}).mappings()
            found = [Margin(**row) for row in rows]
    except sa.exc.ProgrammingError:
        raise MarginsError(
            "The margins are not built yet, or by another version: `fusion-billing reconcile`"
            " builds them."
        ) from None
    return list(_compared(found, month))


def _compared(found: list[Margin], month: dt.date | None) -> Iterator[Compared]:
    known = {(one.month, one.service_code, one.dimension): one for one in found}
    for one in found:
        if month is None or one.month == month:
            last_month = (one.month - dt.timedelta(days=1)).replace(day=1)
            yield Compared(one, known.get((last_month, one.service_code, one.dimension)))
