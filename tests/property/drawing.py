"""Many examples of a hypothesis strategy at once: a dbt build takes seconds, so one build judges
hundreds of examples instead of one build an example."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

ExampleT = TypeVar("ExampleT")

# The longer hypothesis draws, the more it varies what it drew before: good for finding one failure,
# but a world of look-alikes.
_AT_A_TIME = 4
SEED_VARIABLE = "FUSION_PROPERTY_SEED"


def fixed_seed() -> int:
    """The seed of the quick run: the same world every time, unless one is asked for."""
    return int(os.environ.get(SEED_VARIABLE, "4"))


def drawn(strategy: SearchStrategy[ExampleT], number: int, world_seed: int) -> list[ExampleT]:
    """`number` examples, the same for the same seed."""
    examples: list[ExampleT] = []

    def draw(chunk: int) -> None:
        @seed(world_seed * 10_000 + chunk)
        @settings(
            max_examples=_AT_A_TIME,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def collect(example: ExampleT) -> None:
            examples.append(example)

        collect()

    chunk = 0
    while len(examples) < number:
        draw(chunk)
        chunk += 1
    return examples[:number]


@dataclass
class Findings:
    """What broke a property, by example; the smallest is told, as a shrunk one would be."""

    world_seed: int
    test: str
    found: list[tuple[str, str]] = field(default_factory=list)

    def compare(self, example: object, got: object, expected: object) -> None:
        if got != expected:
            self.found.append((repr(example), f"got      {got}\nexpected {expected}"))

    def report(self) -> None:
        """Raises AssertionError with the smallest example and the command that repeats it."""
        if not self.found:
            return
        example, said = min(self.found, key=lambda finding: len(finding[0]))
        raise AssertionError(
            f"{len(self.found)} examples break it; the smallest:\n{example}\n{said}\n"
            f"Again: {SEED_VARIABLE}={self.world_seed} python -m pytest {self.test}"
        )
