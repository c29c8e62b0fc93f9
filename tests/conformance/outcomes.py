"""How vectors ended, and how that is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any


@dataclass
class Outcome:
    """How a vector ended: `pass`, `fail` or `exception`, with what it expected and got."""

    id: str
    verdict: str
    expected: dict[str, Any] = field(default_factory=dict)
    got: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    not_compared: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{self.id}: {self.verdict}"]
        if self.expected:
            parts.append(f"expected {_told(self.expected)} got {_told(self.got)}")
        if self.reason:
            parts.append(f"({self.reason})")
        if self.not_compared:
            left_out = "; ".join(f"{name}: {why}" for name, why in self.not_compared.items())
            parts.append(f"[not compared: {left_out}]")
        return " ".join(parts)


def report(outcomes: Sequence[Outcome]) -> tuple[list[str], int]:
    """A line per outcome, one on the listed exceptions, the counts; and the exit status."""
    count = Counter(outcome.verdict for outcome in outcomes)
    lines = [str(outcome) for outcome in outcomes]
    if excused := count["exception"]:
        lines.append(f"{excused} listed exception{'s' * (excused > 1)}, told apart from both")
    lines.append(f"{count['pass']} passed, {count['fail']} failed")
    return lines, 1 if count["fail"] else 0


def _told(values: dict[str, Any]) -> str:
    return " ".join(f"{name.removeprefix('expected_')}={_text(value)}" for name, value in
                    values.items())  # fmt: skip


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(name)}: {_text(one)}" for name, one in value.items()) + "}"
    if isinstance(value, tuple):
        return ",".join("=".join("null" if part is None else str(part) for part in pair)
                        for pair in value) or "all"  # fmt: skip
    return str(value)
