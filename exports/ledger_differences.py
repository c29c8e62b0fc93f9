"""What the ledger lacks: desired lines less the ledger's, in one statement over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

Line = dict[str, Any]

# The lines that a run answers for: of periods it reaches, and all that were ever billed.
_DESIRED = """
    with desired as (
        select
            rated.*,
            -- A true-up stands beside the charge whose minimum it fills.
            regexp_replace(rated.charge_key, '/true_up$', '') as catalogue_key,
            split_part(rated.charge_key, '/', 1) || '/' || split_part(rated.charge_key, '/', 2)
                as charge_group
        from marts.fct_rated_lines as rated
        where
            (
                rated.period_end <= :last_period_end
                or rated.line_key in (select rated_line_key from ops.billed_line)
            )
            and (cast(:service as text) is null or rated.service_code = :service)
    )
"""

# Everything that a line is billed by is compared; quantity_used alone (usage within the quota)
# moves no money and is no difference.
_DIFFERENCES = (
    _DESIRED  # noqa: S608 - constants
    + """,

    sold as (
        select
            desired.*,
            versions.odoo_charge_id,
            versions.charge_name,
            versions.unit,
            versions.odoo_product_id
        from desired
        left join marts.dim_charge_version as versions
            on desired.catalogue_key = versions.charge_key
            and desired.period_start >= coalesce(versions.valid_from, '-infinity')
            and desired.period_start <= coalesce(versions.valid_to, 'infinity')
    ),

    ledger as (
        select
            rated_line_key,
            currency,
            max(adjustment_no) as adjustment_no,
            sum(quantity_used) as quantity_used,
            sum(quantity_included) as quantity_included,
            sum(quantity_billed) as quantity_billed,
            sum(flat_amount) as flat_amount,
            sum(amount) as amount,
            sum(amount_precise) as amount_precise
        from ops.billed_line
        where cast(:service as text) is null or service_code = :service
        group by rated_line_key, currency
    ),

    ledger_lines as (
        select
            ledger.*, latest.service_code, latest.account_key, latest.subscription_key,
            latest.odoo_order_id, latest.plan_code, latest.metric_code, latest.charge_key,
            latest.period_start, latest.period_end, latest.tier, latest.unit_price,
            latest.charge_model, latest.variant, latest.group_key, latest.package_size,
            latest.odoo_charge_id, latest.charge_name, latest.unit, latest.odoo_product_id,
            split_part(latest.charge_key, '/', 1) || '/' || split_part(latest.charge_key, '/', 2)
                as charge_group
        from ledger
        inner join ops.billed_line as latest
            on ledger.rated_line_key = latest.rated_line_key
            and ledger.adjustment_no = latest.adjustment_no
    ),

    -- Over all currencies: the key of a line carries none.
    numbers as (
        select rated_line_key, max(adjustment_no) as last_adjustment_no
        from ops.billed_line
        group by rated_line_key
    ),

    -- A charge of a period stands for its plan's minimum commitment too, which has no usage.
    billed_charges as (
        select distinct billed.subscription_key, billed.period_start, standing.charge_group
        from ledger_lines as billed
        cross join lateral (
            values
                (billed.charge_group),
                (split_part(billed.charge_key, '/', 1) || '/minimum_commitment')
        ) as standing (charge_group)
    ),

    rated_charges as (
        select distinct rated.subscription_key, rated.period_start, standing.charge_group
        from marts.fct_rated_lines as rated
        cross join lateral (
            values
                (
                    split_part(rated.charge_key, '/', 1) || '/'
                    || split_part(rated.charge_key, '/', 2)
                ),
                (split_part(rated.charge_key, '/', 1) || '/minimum_commitment')
        ) as standing (charge_group)
    ),

    -- Late usage of a charge moves its true-up and its plan's minimum commitment as well.
    late as (
        select distinct placed.subscription_key, placed.period_start, moved.charge_key
        from intermediate.int_usage_placed as placed
        cross join lateral (
            values
                (placed.charge_key),
                (
                    split_part(placed.charge_key, '/', 1) || '/'
                    || split_part(placed.charge_key, '/', 2) || '/true_up'
                ),
                (split_part(placed.charge_key, '/', 1) || '/minimum_commitment')
        ) as moved (charge_key)
        where placed.is_late and placed.counters > 0
    ),

    differences as (
        select
            sold.line_key is not null as is_desired,
            numbers.last_adjustment_no,
            coalesce(sold.line_key, ledger_lines.rated_line_key) as rated_line_key,
            coalesce(sold.charge_group, ledger_lines.charge_group) as charge_group,
            coalesce(sold.service_code, ledger_lines.service_code) as service_code,
            coalesce(sold.account_key, ledger_lines.account_key) as account_key,
            coalesce(sold.subscription_key, ledger_lines.subscription_key) as subscription_key,
            coalesce(sold.odoo_order_id, ledger_lines.odoo_order_id) as odoo_order_id,
            coalesce(sold.plan_code, ledger_lines.plan_code) as plan_code,
            coalesce(sold.metric_code, ledger_lines.metric_code) as metric_code,
            coalesce(sold.charge_key, ledger_lines.charge_key) as charge_key,
            coalesce(sold.period_start, ledger_lines.period_start) as period_start,
            coalesce(sold.period_end, ledger_lines.period_end) as period_end,
            coalesce(sold.tier, ledger_lines.tier) as tier,
            coalesce(sold.quantity_used, 0) - coalesce(ledger_lines.quantity_used, 0)
                as quantity_used,
            coalesce(sold.quantity_included, 0) - coalesce(ledger_lines.quantity_included, 0)
                as quantity_included,
            coalesce(sold.quantity_billed, 0) - coalesce(ledger_lines.quantity_billed, 0)
                as quantity_billed,
            coalesce(sold.flat_amount, 0) - coalesce(ledger_lines.flat_amount, 0) as flat_amount,
            case when sold.line_key is null then ledger_lines.unit_price else sold.unit_price end
                as unit_price,
            coalesce(sold.amount, 0) - coalesce(ledger_lines.amount, 0) as amount,
            coalesce(sold.amount_precise, 0) - coalesce(ledger_lines.amount_precise, 0)
                as amount_precise,
            coalesce(sold.currency, ledger_lines.currency) as currency,
            coalesce(sold.charge_model, ledger_lines.charge_model) as charge_model,
            coalesce(sold.variant, ledger_lines.variant) as variant,
            coalesce(sold.group_key, ledger_lines.group_key) as group_key,
            coalesce(sold.package_size, ledger_lines.package_size) as package_size,
            coalesce(sold.odoo_charge_id, ledger_lines.odoo_charge_id) as odoo_charge_id,
            coalesce(sold.charge_name, ledger_lines.charge_name) as charge_name,
            coalesce(sold.unit, ledger_lines.unit) as unit,
            coalesce(sold.odoo_product_id, ledger_lines.odoo_product_id) as odoo_product_id
        from sold
        full join ledger_lines
            on sold.line_key = ledger_lines.rated_line_key
            and sold.currency = ledger_lines.currency
        left join numbers
            on coalesce(sold.line_key, ledger_lines.rated_line_key) = numbers.rated_line_key
        where
            coalesce(sold.quantity_billed, 0) <> coalesce(ledger_lines.quantity_billed, 0)
            or coalesce(sold.amount, 0) <> coalesce(ledger_lines.amount, 0)
    )

    select
        differences.*,
        case
            when
                late.charge_key is not null
                and (differences.quantity_used <> 0 or differences.tier = 0) then 'late_usage'
            when not differences.is_desired and rated_charges.charge_group is null then 'void'
            when billed_charges.charge_group is null then 'period'
            else 'correction'
        end as reason
    from differences
    left join late
        on differences.subscription_key = late.subscription_key
        and differences.period_start = late.period_start
        and differences.charge_key = late.charge_key
    left join billed_charges
        on differences.subscription_key = billed_charges.subscription_key
        and differences.period_start = billed_charges.period_start
        and differences.charge_group = billed_charges.charge_group
    left join rated_charges
        on differences.subscription_key = rated_charges.subscription_key
        and differences.period_start = rated_charges.period_start
        and differences.charge_group = rated_charges.charge_group
    -- What is taken back in an old currency comes before what is billed in the new one.
    order by differences.rated_line_key, differences.is_desired
"""
)

_COUNTS = (
    _DESIRED  # noqa: S608 - constants
    + """

    select
        (select count(*) from desired) as lines_desired,
        coalesce(sum(placed.counters), 0)::bigint as counters_rated
    from intermediate.int_usage_placed as placed
    where
        placed.verdict = 'rated'
        and (placed.subscription_key, placed.charge_key, placed.period_start) in (
            select subscription_key, charge_key, period_start from desired
        )
"""
)


@dataclass(frozen=True)
class Scope:
    """What a run answers for: periods that end by this day (exclusive end), of one service."""

    last_period_end: date
    service_code: str | None = None

    def parameters(self) -> dict[str, Any]:
        return {"last_period_end": self.last_period_end, "service": self.service_code}


@dataclass(frozen=True)
class Counts:
    """`lines_desired`: rated lines in scope. `counters_rated`: the counters behind them."""

    lines_desired: int
    counters_rated: int


def differences(connection: Connection, scope: Scope, *, prefix: str = "") -> list[Line]:
    """The lines that bring the ledger to what is rated, numbered, without their run. With a prefix
    to the names of dbt's schemas, to what a replay rated there.

    `reason`: `late_usage` (the quantity changed and counters came in after the period was first
    billed; a true-up or a minimum commitment follows the usage it fills up), `void` (nothing of
    the charge is rated for the period any more), `period` (nothing of it is in the ledger yet),
    `correction` (anything else).
    """
    statement = _DIFFERENCES.replace("marts.", f"{prefix}marts.").replace(
        "intermediate.", f"{prefix}intermediate."
    )
    rows = connection.execute(sa.text(statement), scope.parameters()).mappings().all()
    return _numbered([dict(row) for row in rows])


def counts(connection: Connection, scope: Scope) -> Counts:
    row = connection.execute(sa.text(_COUNTS), scope.parameters()).one()
    return Counts(lines_desired=row.lines_desired, counters_rated=row.counters_rated)


def _numbered(rows: Sequence[Line]) -> list[Line]:
    """Gives each difference its adjustment number and key: the next of its line, 0 the first."""
    numbers: dict[str, int] = {}
    lines = []
    for row in rows:
        line = {name: row[name] for name in row if name not in _WORKINGS}
        rated_key = line["rated_line_key"]
        last = row["last_adjustment_no"]
        number = numbers.get(rated_key, -1 if last is None else last) + 1
        numbers[rated_key] = number
        lines.append(
            {
                **line,
                "adjustment_no": number,
                "line_key": rated_key if number == 0 else f"{rated_key}~{number}",
            }
        )
    return lines


_WORKINGS = ("is_desired", "last_adjustment_no", "charge_group")
