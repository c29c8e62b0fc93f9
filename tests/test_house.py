"""The house's own rules: arrows point one way, and no machine leaves its traces."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

REPOSITORY = Path(__file__).resolve().parents[1]

# A home folder, a temporary folder or a work folder with a name behind it is somebody's machine.
MACHINE_PATH = re.compile(
    r"(?<![\w.:/}$-])/(?:home|root|Users|work|mnt|tmp|private|var/folders)/[\w.-]+[\w/.-]*"
)
REGISTRY = re.compile(
    r"(?:--(?:extra-)?index-url|--find-links|index-url\s*=|registry\s*=)\s*['\"]?http"
    r"|https?://[\w.-]*(?:pypi|pythonhosted|npmjs|artifactory|nexus|jfrog|devpi)[\w.-]*",
    re.IGNORECASE,
)


def tracked() -> list[Path]:
    """What git knows or would take: all that a clone holds, and what is about to be committed."""
    listed = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "-co", "--exclude-standard", "-z"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [REPOSITORY / name for name in listed.split("\0") if name]
    assert len(paths) > 100
    return [path for path in paths if path.is_file()]


def texts() -> dict[str, str]:
    found = {}
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found[str(path.relative_to(REPOSITORY))] = content.decode()
    return found


def test_arrows_point_one_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    status = lint_imports(no_cache=True)
    told = capsys.readouterr().out
    assert status == 0, told
    assert re.search(r"Contracts: [2-9] kept, 0 broken", told)


def test_dbt_is_no_package() -> None:
    """An __init__.py there would hide dbt itself from everything that runs in the repository."""
    assert list((REPOSITORY / "dbt").rglob("*.py")) == []


def test_no_file_names_a_registry() -> None:
    assert [
        (name, match.group()) for name, text in texts().items() for match in REGISTRY.finditer(text)
    ] == []


def test_no_file_names_a_path_of_a_machine() -> None:
    assert [
        (name, match.group())
        for name, text in texts().items()
        for match in MACHINE_PATH.finditer(text)
    ] == []


# Put together here, or this file would be the one that names them.
TRACES = [
    (MACHINE_PATH, f"see /{'home'}/someone/notes"),
    (MACHINE_PATH, f"log = /{'tmp'}/build.log"),
    (REGISTRY, f"--index-url {'https'}://mirror.example.com/simple"),
    (REGISTRY, f"from https://files.{'python'}hosted.org/x"),
]


@pytest.mark.parametrize(("pattern", "text"), TRACES)
def test_the_traces_are_recognized(pattern: re.Pattern[str], text: str) -> None:
    assert pattern.search(text)
