"""The reviewed list of vectors that are not met, and of what is not compared, each with its why.

An entry names an `id`, a `model` (every vector of it), a `key` (every vector that has it), a
`cannot` (every vector that cannot be fed, in these words), or a `field`: an expectation that is
left out while the rest of its vector is compared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from vectors import Vector

FILE = Path(__file__).with_name("exceptions.json")
_KINDS = ("id", "model", "key", "cannot", "field")


@dataclass(frozen=True)
class Exceptions:
    """Reasons by what they excuse."""

    entries: list[tuple[str, str, str]]

    def of_vector(self, vector: Vector, failure: str | None = None) -> str | None:
        """Why this vector, or one that failed for this reason, need not be met, if it is listed."""
        for kind, name, reason in self.entries:
            if (
                (kind == "id" and name == vector.id)
                or (kind == "model" and name == vector.model)
                or (kind == "key" and name in vector)
                or (kind == "cannot" and name == failure)
            ):
                return reason
        return None

    def of_field(self, field: str) -> str | None:
        """Why this expectation is not compared, if it is listed."""
        return next(
            (reason for kind, name, reason in self.entries if (kind, name) == ("field", field)),
            None,
        )


def listed() -> Exceptions:
    """The list of the repository. Raises ValueError on an entry without a reason or a target."""
    entries = []
    for entry in json.loads(FILE.read_text()):
        (kind,) = set(entry) - {"reason"}
        if kind not in _KINDS or not entry["reason"]:
            raise ValueError(f"{FILE.name}: {entry}")
        entries.append((kind, entry[kind], entry["reason"]))
    return Exceptions(entries)
