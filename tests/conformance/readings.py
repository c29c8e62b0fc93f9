"""What the models say about one case: rows of int_charge_usage and fct_rated_lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
Group = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Reading:
    """The rows of one subscription, of the period that is looked at and of all others."""

    plan: str
    charge_key: str
    period_start: date
    all_usage: list[Row]
    all_lines: list[Row]

    def usage(self, variant: str | None = None, period: date | None = None) -> list[Row]:
        """What its charge has to price in the period: one row per variant and group."""
        return [
            row
            for row in self.all_usage
            if row["period_start"] == (period or self.period_start)
            and self._is_of_charge(row["charge_key"])
            and (variant is None or row["charge_key"] == f"{self.charge_key}/{variant}")
        ]

    def lines(self) -> list[Row]:
        """The charge's lines of the period, true-up and commitment apart, in order of tier."""
        return sorted(
            (
                row
                for row in self.all_lines
                if row["period_start"] == self.period_start
                and self._is_of_charge(row["charge_key"])
            ),
            key=lambda row: (row["charge_key"], row["group_key"] or "", row["tier"]),
        )

    def true_up(self) -> list[Row]:
        """The line that lifts the charge to its minimum."""
        return self._lines_with_key(f"{self.charge_key}/true_up")

    def commitment(self) -> list[Row]:
        """The line that lifts the subscription to its plan's minimum commitment."""
        return self._lines_with_key(f"{self.plan}/minimum_commitment")

    def _lines_with_key(self, charge_key: str) -> list[Row]:
        return [
            row
            for row in self.all_lines
            if row["period_start"] == self.period_start and row["charge_key"] == charge_key
        ]

    def _is_of_charge(self, key: str) -> bool:
        is_own = key == self.charge_key or key.startswith(self.charge_key + "/")
        return is_own and not key.endswith("/true_up")

    # --- answers, each a number; a charge without a row has nothing to price -----------------

    def units(self) -> Decimal:
        return total(self.usage(), "units")

    def full_units(self) -> Decimal:
        return total(self.usage(), "full_units")

    def carried_units(self) -> Decimal:
        """The units of the period that follows."""
        following = sorted(
            {
                row["period_start"]
                for row in self.all_usage
                if row["period_start"] > self.period_start
            }
        )
        return total(self.usage(period=following[0]), "units") if following else Decimal(0)

    def events_count(self) -> Decimal:
        return total(self.usage(), "events_count")

    def running_total(self) -> list[Decimal]:
        """The values the charge prices one by one, added up."""
        running, so_far = [], Decimal(0)
        for row in self.usage():
            for value in row["event_values"] or []:
                so_far += value
                running.append(so_far)
        return running

    def is_rated(self) -> bool:
        """Every group that was used has a line, if only of nothing."""
        rated = {(row["charge_key"], row["group_key"] or "") for row in self.lines()}
        return all(
            (row["charge_key"], row["group_key"] or "") in rated
            for row in self.usage()
            if row["events_count"] or row["units"]
        )

    def amount(self) -> Decimal:
        return total(self.lines(), "amount_precise")

    def cents(self) -> Decimal:
        return 100 * total(self.lines(), "amount")

    def precise_cents(self) -> Decimal:
        return 100 * self.amount()

    def unit_amount(self) -> Decimal | list[Decimal]:
        """The fee per unit; all of them where the lines do not agree on one."""
        stated = {Decimal(row["unit_amount"] or 0) for row in self.lines()} or {Decimal(0)}
        return stated.pop() if len(stated) == 1 else sorted(stated)

    def tier_units(self) -> list[Decimal]:
        return [row["quantity_used"] for row in self.lines()]

    def paid_units(self) -> Decimal:
        return total(self.lines(), "quantity_billed")

    def groups(
        self, names: dict[str, str], variant: str | None = None
    ) -> dict[Group, dict[str, Decimal]]:
        """Per group the asked figures: `names` maps each to `usage.column` or `lines.column`."""
        found: dict[Group, dict[str, Decimal]] = {}
        for name, source in names.items():
            table, _, column = source.partition(".")
            rows = self.usage(variant) if table == "usage" else self.lines()
            for row in rows:
                figures = found.setdefault(group_of(row["group_key"]), {})
                figures[name] = figures.get(name, Decimal(0)) + _decimal(row[column])
        return found


def group_of(group_key: str | None) -> Group:
    """A group's properties in order; Lago's nil group is a property missing or empty."""
    return as_group(json.loads(group_key) if group_key else {})


def as_group(values: dict[str, Any]) -> Group:
    return tuple(sorted((name, value or None) for name, value in values.items()))


def in_group(group: Group, column: str) -> Callable[[Reading], Decimal]:
    """A figure of the usage of one group."""
    return lambda reading: total(
        [row for row in reading.usage() if group_of(row["group_key"]) == group], column
    )


def total(rows: list[Row], column: str) -> Decimal:
    return sum((_decimal(row[column]) for row in rows), Decimal(0))


def _decimal(value: Any) -> Decimal:
    return Decimal(0) if value is None else Decimal(value)
