"""What bootstrap makes, one step at a time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """`kind` is field, optional field, choice, model, access right, unique index, server action,
    view, action or menu."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
