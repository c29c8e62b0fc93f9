"""Applies the commands of raw.command to Odoo, customer by customer, each in the order it came.

Everything is looked up by its key before it is made, so a pass that was killed, or whose answer
was lost, is settled by the next one. What one customer's command meets does not stop another's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Engine

from exports.commands import queue
from exports.commands.customers import apply_customer, linked_partner
from exports.commands.orders import ORDER, Book
from exports.commands.outcomes import (
    AmbiguousError,
    ApplyBusyError,
    CannotApplyError,
    WaitingError,
)
from exports.commands.queue import CUSTOMER, TERMINATION, Command
from exports.commands.rehearsal import Rehearsal, RehearsedError
from exports.commands.subscriptions import Applied, apply_subscription, apply_termination
from exports.push_problems import Judge
from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError, OdooTransientError
from odoo_gateway.uniqueness import require_indexes
from warehouse.locks import session_lock

# Odoo is away rather than a command at fault: the rest would fail the same way, each after its
# time-out.
MOST_FAILURES_RUNNING = 3


@dataclass(frozen=True)
class Fate:
    """What became of one command, or, in a rehearsal, what would be done first."""

    command_id: int
    service_code: str
    kind: str
    external_id: str
    state: str
    reason: str | None = None


@dataclass
class ApplyResult:
    """Counts of commands by their state after the pass, and each one that it looked at.

    `superseded` are those that a newer command settles; `postponed` those that were not looked at:
    their time has not come, or Odoo is away.
    """

    applied: int = 0
    pending: int = 0
    retrying: int = 0
    ambiguous: int = 0
    refused: int = 0
    superseded: int = 0
    postponed: int = 0
    fates: list[Fate] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Commands by state."""
        return {name: value for name, value in vars(self).items() if name != "fates"}

    def note(self, command: Command, state: str, reason: str | None) -> None:
        setattr(self, state, getattr(self, state) + 1)
        self.fates.append(
            Fate(
                command.command_id,
                command.service_code,
                command.kind,
                command.external_id,
                state,
                reason,
            )
        )


def apply_commands(
    engine: Engine,
    client: OdooClient,
    *,
    database: str,
    zone: ZoneInfo,
    refused: bool = False,
    dry_run: bool = False,
) -> ApplyResult:
    """One pass over all unsettled commands. `database` names the Odoo for the lock, `zone` is the
    company's; with `refused`, what Odoo refused is tried again.

    Raises ApplyBusyError; OdooRefusedError where Odoo is not bootstrapped, OdooTransientError where
    it does not answer at all. Whatever a single command meets is its state.
    """
    with session_lock(engine, f"apply:{database}") as taken:
        if not taken:
            raise ApplyBusyError(
                f"Commands are being applied to {database} already. Let that finish, then repeat."
            )
        commands = queue.unsettled(engine, refused=refused)
        result = ApplyResult()
        if commands:
            known = _bootstrapped(client)
            working = Rehearsal(client) if dry_run else client
            one_pass = _Pass(engine, Book(working, known), zone, result, dry_run)
            one_pass.over(commands)
        return result


def _bootstrapped(client: OdooClient) -> frozenset[str]:
    """The fields of sale.order. OdooRefusedError where ours are missing."""
    known = client.fields_get(ORDER)
    partners = client.fields_get("res.partner")
    if "x_fc_command_key" not in known or "x_fc_account_key" not in partners:
        raise OdooRefusedError(
            "Odoo lacks the fields by which commands are recognized: run"
            " `fusion-billing odoo bootstrap`"
        )
    require_indexes(client)
    return frozenset(known)


@dataclass
class _Pass:
    engine: Engine
    book: Book
    zone: ZoneInfo
    result: ApplyResult
    dry_run: bool
    failures: int = 0
    judge: Judge | None = None

    def over(self, commands: Iterable[Command]) -> None:
        now = datetime.now(UTC)
        for _, group in groupby(commands, key=lambda command: command.customer_key):
            of_customer = list(group)
            while of_customer:
                command = of_customer[0]
                early = command.next_attempt_at is not None and command.next_attempt_at > now
                if self.failures >= MOST_FAILURES_RUNNING or (early and not self.dry_run):
                    break
                of_customer.pop(0)
                if self._settled(command) == queue.RETRYING:
                    break
            self.result.postponed += len(of_customer)

    def _settled(self, command: Command) -> str:
        """Applies one command and records what became of it; its state."""
        state, reason = queue.APPLIED, None
        partner_id: int | None = None
        order_id: int | None = None
        try:
            if command.superseded_by is not None:
                state, reason = queue.REFUSED, f"superseded by command {command.superseded_by}"
            else:
                partner_id, applied = self._applied(command)
                order_id, reason = applied.order_id, applied.note
            self.failures = 0
        except RehearsedError as step:
            state, reason = queue.PENDING, str(step)
        except WaitingError as error:
            state, reason = queue.PENDING, str(error)
        except AmbiguousError as error:
            state, reason = queue.AMBIGUOUS, str(error)
        except (CannotApplyError, OdooRefusedError) as error:
            state, reason = queue.REFUSED, str(error)
        except OdooTransientError as error:
            state, reason = queue.RETRYING, str(error)
            self.failures += 1
        # Recorded as refused, and no failure: the app itself asked for something newer.
        counted = "superseded" if command.superseded_by is not None else state
        self.result.note(command, counted, reason)
        if not self.dry_run:
            queue.settle(
                self.engine,
                command,
                state,
                reason=reason,
                partner_id=partner_id,
                order_id=order_id,
                tried=state != queue.PENDING,
            )
        return state

    def _applied(self, command: Command) -> tuple[int | None, Applied]:
        if command.waits_for is not None:
            raise WaitingError(f"waits for command {command.waits_for} about the same subscription")
        if command.kind == TERMINATION:
            return None, apply_termination(self.book, command, self.zone)
        if command.kind == CUSTOMER:
            before = queue.applied_customer(self.engine, command)
            return self._customer(command, command.payload, before), Applied(None)
        partner_id = self._partner(command)
        applied = apply_subscription(self.book, command, partner_id, self.zone)
        return partner_id, replace(applied, note=applied.note or self._what_hinders(applied))

    def _what_hinders(self, applied: Applied) -> str | None:
        """What will keep usage off the order, such as an address that gives Odoo no tax."""
        if self.judge is None:
            self.judge = Judge.of(self.book.client)
        for _, problem in self.judge.orders([("id", "=", applied.order_id)]):
            if problem is not None:
                return f"{problem.name}: {problem.reason}"
        return None

    def _partner(self, command: Command) -> int:
        """Whose subscription it is. As in Lago, a customer that nobody described is made."""
        partner = linked_partner(
            self.book.client, command.service_code, command.external_customer_id
        )
        if partner is not None:
            return int(partner["id"])
        waiting = queue.unsettled_customer(self.engine, command)
        if waiting is not None:
            number, state = waiting
            raise WaitingError(f"waits for command {number}, the customer's own, which is {state}")
        return self._customer(command, {}, None)

    def _customer(
        self, command: Command, payload: dict[str, object], before: dict[str, object] | None
    ) -> int:
        return apply_customer(
            self.book.client, command.service_code, command.external_customer_id, payload, before
        )
