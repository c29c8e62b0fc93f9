"""Which of two contents of a document is the older, as far as they say it themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from ingest.app_billing.content import from_epoch

# Where a document names instants of its own past: Lago's ISO text, Stripe's epoch seconds.
_TRANSITIONS = "status_transitions"
INSTANTS = ("updated_at", "created", "voided_at", "webhooks_delivered_at", _TRANSITIONS)
_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)
# Stripe's invoices, credit notes and refunds go through these and never back (Stripe's
# documentation, "Status transitions and finalization").
_STAGES = {"draft": 0, "pending": 0, "requires_action": 0, "uncollectible": 2}
_STAGES |= dict.fromkeys(("paid", "void", "failed", "canceled"), 3)
_ON_THE_WAY = 1  # open, issued, succeeded, and what Stripe may add


def changed_at(content: Mapping[str, object]) -> datetime | None:
    """The latest instant that the document names of its own past: it is not older than that, but
    may be newer. None where it names none."""
    return max(_instants(content), default=None)


def _instants(content: Mapping[str, object]) -> Iterator[datetime]:
    transitions = content.get(_TRANSITIONS)
    named = [content.get(name) for name in INSTANTS]
    named += transitions.values() if isinstance(transitions, dict) else ()
    for value in named:
        try:
            if isinstance(value, int):
                yield from_epoch(value)
            elif isinstance(value, str) and (instant := datetime.fromisoformat(value)).tzinfo:
                yield instant
        except ValueError:
            continue  # no time at all: whoever needs it says so


def stage(status: str) -> int:
    """How far a document of Stripe has come; it never goes back to a lower one."""
    return _STAGES.get(status, _ON_THE_WAY)


def event_age(status: str, at: datetime | None) -> tuple[datetime, int]:
    """Orders events: by when they happened, in seconds, and within one by stage."""
    return at or _BEFORE_ALL, stage(status)


def known_age(status: str, at: datetime | None) -> tuple[int, datetime]:
    """Orders contents of which only a lower bound of the time is known: by stage, and within one by
    the latest instant that they name."""
    return stage(status), at or _BEFORE_ALL
