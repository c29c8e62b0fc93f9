"""Finds room in the demo world for a planted case, and knows what the case is worth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from sandbox.catalogue import ChargeSpec
from sandbox.model import Planted, Subscription, World
from sandbox.usage import expected_usage

CENT = Decimal("0.01")


def billed(used: Decimal, charge: ChargeSpec) -> Decimal:
    """The quantity above the included quota, never below 0."""
    return max(used - charge.included, Decimal(0))


def to_cents(amount: Decimal) -> Decimal:
    """Half-up to the cent."""
    return amount.quantize(CENT, ROUND_HALF_UP)


class Planter:
    """Hands out each subscription once, so that no two planted cases meet.

    Its figures are of the world before planting, in final quantities.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.usage = expected_usage(world, include_late=True)
        self.taken: set[str] = set()
        self.provinces = {client.code: client.province for client in world.clients}

    def charge(self, sub: Subscription, code: str) -> ChargeSpec:
        """The charge of the subscription's plan for a metric."""
        charge = self.world.plan(sub.plan_code).charge(code)
        if charge is None:
            raise ValueError(f"{sub.plan_code} has no charge for {code}")
        return charge

    def overage(self, sub: Subscription, code: str, month: date) -> Decimal:
        """The quantity above the quota."""
        return billed(self.usage.get((sub.key, code, month), Decimal(0)), self.charge(sub, code))

    def amount(self, sub: Subscription, code: str, month: date) -> Decimal:
        """What the platform will bill for it, in CAD."""
        return to_cents(self.overage(sub, code, month) * self.charge(sub, code).unit_price)

    def pick(
        self,
        service: str,
        code: str,
        month: date,
        *,
        also: Callable[[Subscription], bool] = lambda _: True,
    ) -> Subscription:
        """The next untouched subscription, served the whole time, that owes at least 5 dollars."""
        for sub in self.world.subscriptions:
            if (
                sub.service_code == service
                and sub.key not in self.taken
                and sub.start_date < self.world.first
                and sub.end_date is None
                and self.amount(sub, code, month) >= 5
                and also(sub)
            ):
                self.taken.add(sub.key)
                return sub
        raise ValueError(f"the world has no {service} subscription left to plant {code} in")

    def planted(self, kind: str, sub: Subscription, code: str, month: date, note: str) -> Planted:
        """A case without figures."""
        return Planted(
            kind=kind,
            service_code=sub.service_code,
            external_account_id=sub.external_account_id,
            external_subscription_id=sub.external_id,
            metric_code=code,
            month=month,
            note=note,
        )
