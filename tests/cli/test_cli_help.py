"""The commands of the contract, and what `--help` promises of them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import typer.main
from command_line import environment, fusion_billing

from cli import main

GROUPS = {
    "service": ["add", "list"],
    "key": ["create", "rotate", "revoke", "list"],
    "odoo": ["bootstrap", "mirror", "push", "apply"],
    "catalog": ["apply", "show"],
    "import": ["lago", "stripe", "costs"],
    "costs": ["mirror", "drivers"],
    "webhook": ["list", "dead", "replay", "deliver"],
    "cutover": ["status", "advance", "back", "history"],
}
SINGLE = [
    "demo",
    "up",
    "doctor",
    "migrate",
    "serve",
    "run",
    "reconcile",
    "margins",
    "close",
    "explain",
    "replay",
    "parity",
]
# The one group within a group.
DRIVERS = ["costs", "drivers"]
PATHS = [
    *([name] for name in SINGLE),
    *([group, name] for group, names in GROUPS.items() for name in names),
    [*DRIVERS, "apply"],
    [*DRIVERS, "show"],
]
PATHS.remove(DRIVERS)
# These run until they are stopped and print no result.
NO_RESULT = [["up"], ["serve"]]
CHANGES_OUTSIDE = [
    ["odoo", "bootstrap"],
    ["odoo", "push"],
    ["odoo", "apply"],
    ["catalog", "apply"],
    ["costs", "drivers", "apply"],
    ["run"],
    ["webhook", "replay"],
    ["webhook", "deliver"],
    ["cutover", "advance"],
    ["cutover", "back"],
]


def options_of(path: list[str]) -> set[str]:
    command = typer.main.get_command(main.app)
    for name in path:
        found = command.get_command(None, name)
        assert found is not None
        command = found
    return {option for parameter in command.params for option in parameter.opts}


def test_help_lists_the_commands_that_there_are(tmp_path: Path) -> None:
    told = fusion_billing("--help", env=environment(tmp_path))
    assert (told.status, told.stderr) == (0, "")
    commands = re.findall(r"^[│|] ([a-z]+) {2,}\S", told.stdout, re.MULTILINE)
    assert sorted(commands) == sorted([*SINGLE, *GROUPS])


def test_without_arguments_there_is_help_and_status_2(tmp_path: Path) -> None:
    told = fusion_billing(env=environment(tmp_path))
    assert told.status == 2
    assert "Usage:" in told.stdout + told.stderr


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_its_commands(group: str) -> None:
    found = typer.main.get_command(main.app).get_command(None, group)
    assert list(found.commands) == GROUPS[group]


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_a_command_that_prints_a_result_prints_it_as_json_too(path: list[str]) -> None:
    assert ("--format" in options_of(path)) is (path not in NO_RESULT)


@pytest.mark.parametrize("path", CHANGES_OUTSIDE, ids=" ".join)
def test_a_command_that_changes_something_outside_can_say_so_first(path: list[str]) -> None:
    assert "--dry-run" in options_of(path)


@pytest.mark.parametrize("module", [*main.REFUSED, *main.UNUSABLE])
def test_errors_that_are_the_users_exist(module: str) -> None:
    names = {**main.REFUSED, **main.UNUSABLE}[module]
    found = [getattr(importlib.import_module(module), name) for name in names]
    assert all(issubclass(error, Exception) for error in found)
