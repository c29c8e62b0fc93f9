"""Mutants of the rating: one model or macro each with one small thing wrong.

What is changed is the code that dbt has parsed, not a file: a mutant costs no parsing, and two
processes never see each other's."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from warehouse.dbt_project import DBT_PROJECT

KINDS = ("drop", "duplicate", "boundary", "day")
LAST_LINE = "select * from final"
# One row of those there are, the same one for the same seed, whatever order they come in.
DROPPED = """select final.* from {rows} as final
order by md5('{seed}' || final::text) offset 1"""
DUPLICATED = """select final.* from {rows} as final
union all
(select final.* from {rows} as final order by md5('{seed}' || final::text) limit 1)"""
REF = re.compile(r"\bref\(\s*['\"](\w+)['\"]\s*\)")
MACRO = re.compile(r"\{%-? macro (\w+)\(.*?endmacro -?%\}", re.DOTALL)
# Prose and values: what looks like an operator there is none.
NOT_CODE = re.compile(r"--[^\n]*|\{#.*?#\}|'(?:[^']|'')*'", re.DOTALL)
COMPARISON = re.compile(r"(?<![-<>=@#&|!~])(?:<=|>=|<|>)(?![-<>=@#&|])")
NEIGHBOUR = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
A_DAY = re.compile(r"(?<=[+-] )1(?![\w.])")


@dataclass(frozen=True)
class Mutant:
    """`told` is the changed line as it is in the mutant; a drop or duplicate has none."""

    kind: str
    model: str  # or macro
    unique_id: str
    code: str
    place: str = ""
    told: str = ""

    @property
    def name(self) -> str:
        return "-".join(part for part in (self.model, self.kind, self.place) if part)


def rating_models() -> list[Path]:
    """The models that make what should be billed, and all that these read, in order of names."""
    files = {path.stem: path for path in (DBT_PROJECT / "models").rglob("*.sql")}
    wanted = [name for name, path in files.items() if path.parent.name in ("rating", "steps")]
    wanted += REF.findall("".join(path.read_text() for path in macro_files()))
    found: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name not in found:
            found.add(name)
            wanted += REF.findall(files[name].read_text())
    return [files[name] for name in sorted(found)]


def macro_files() -> list[Path]:
    return sorted((DBT_PROJECT / "macros").glob("*.sql"))


def mutants(seed: int) -> list[Mutant]:
    """Every mutant of every model and macro, in the same order for the same code."""
    found: list[Mutant] = []
    for path in rating_models():
        code, key = path.read_text(), f"model.fusion.{path.stem}"
        found.append(Mutant("drop", path.stem, key, with_rows(code, DROPPED, seed)))
        found.append(Mutant("duplicate", path.stem, key, with_rows(code, DUPLICATED, seed)))
        found += swapped(path.stem, key, code)
    for path in macro_files():
        code = path.read_text()
        for macro in MACRO.finditer(code):
            lines_before = code.count("\n", 0, macro.start())
            found += swapped(macro[1], f"macro.fusion.{macro[1]}", macro[0], lines_before)
    return found


def with_rows(code: str, instead: str, seed: int) -> str:
    """The model with another last line, or where it has no such line, all of it in its place."""
    stripped = code.rstrip()
    if stripped.endswith("\n" + LAST_LINE):
        return stripped.removesuffix(LAST_LINE) + instead.format(rows="final", seed=seed)
    return f"with whole as (\n{stripped}\n)\n{instead.format(rows='whole', seed=seed)}"


def swapped(name: str, unique_id: str, code: str, lines_before: int = 0) -> Iterator[Mutant]:
    """One boundary or one day moved, each in its turn."""
    bare = NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), code)
    moves = [("boundary", found, NEIGHBOUR[found[0]]) for found in COMPARISON.finditer(bare)]
    moves += [("day", found, "0") for found in A_DAY.finditer(bare)]
    names: Counter[str] = Counter()
    for kind, found, new in moves:
        changed = code[: found.start()] + new + code[found.end() :]
        line = code.count("\n", 0, found.start())
        place = f"line {lines_before + line + 1} {found[0]} to {new}"
        names[place] += 1
        if names[place] > 1:
            place += f" again {names[place]}"
        told = changed.splitlines()[line].strip()
        names[told] += 1
        if names[told] > 1:
            told += f" ({names[told]})"
        yield Mutant(kind, name, unique_id, changed, place, told)
