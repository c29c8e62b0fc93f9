"""What a check of `fusion-billing doctor` found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Finding:
    """One line: the check, how it went, what was found, and what to do next (empty where ok)."""

    check: str
    status: Status
    found: str
    next: str = ""


def ok(check: str, found: str) -> Finding:
    return Finding(check, Status.OK, found)


def warning(check: str, found: str, next_: str) -> Finding:
    return Finding(check, Status.WARNING, found, next_)


def failed(check: str, found: str, next_: str) -> Finding:
    return Finding(check, Status.FAILED, found, next_)
