"""Mutants that no test can notice, each with its reason: reviewed by hand, one by one.

By model or macro, and the changed line as it is in the mutant; of a row less or a row twice, the
kind. A line that is edited has to be judged anew: its entry no longer names a mutant, and fails."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str], str] = {}
