"""Whatever goes wrong is one line on stderr that says what to mend, and exit status 2."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from command_line import Finished, environment, fusion_billing

AWAY = "postgresql://billing:s3cret@127.0.0.1:1/warehouse"


@dataclass(frozen=True)
class Case:
    """A command line, what it is given (names in braces are fixtures), and words of its answer."""

    command: str
    says: tuple[str, ...]
    given: Mapping[str, str] = field(default_factory=dict)


CASES = {
    "broken database url": Case(
        "service list", ("DATABASE_URL",), {"DATABASE_URL": "postgresql://localhost:port/x"}
    ),
    "unknown connection option": Case(
        "service list", ('"colour"',), {"DATABASE_URL": "postgresql://localhost/x?colour=red"}
    ),
    "database away": Case(
        "service list",
        ("127.0.0.1:1", "Connection refused", "fusion-billing doctor"),
        {"DATABASE_URL": AWAY},
    ),
    "database away, serve": Case("serve", ("Connection refused",), {"DATABASE_URL": AWAY}),
    "unmigrated": Case(
        "service list", ("fusion-billing migrate",), {"DATABASE_URL": "{unmigrated_url}"}
    ),
    "time zone": Case(
        "service list",
        ("COMPANY_TIMEZONE", "America/Toronto"),
        {"COMPANY_TIMEZONE": "Mars/Olympus"},
    ),
    "environment": Case(
        "service list", ("FUSION_ENV", "'dev', 'ci' or 'production'"), {"FUSION_ENV": "prod"}
    ),
    "port taken": Case(
        "serve --port {taken_port}", ("cannot listen on 127.0.0.1:{taken_port}", "--port")
    ),
    "a run's date": Case("odoo push --run June", ("'June' is not a date such as 2026-10-31",)),
    "no Odoo": Case("odoo push", ("ODOO_URL is not set", "fusion-billing up")),
    "no key for Odoo": Case(
        "odoo bootstrap", ("ODOO_API_KEY is not set",), {"ODOO_URL": "{odoo_url}"}
    ),
    "Odoo away": Case(
        "odoo mirror",
        ("ODOO_URL http://127.0.0.1:1", "cannot be reached"),
        {"ODOO_URL": "http://127.0.0.1:1", "ODOO_API_KEY": "s3cret"},
    ),
    "wrong key for Odoo": Case(
        "odoo bootstrap --dry-run",
        ("ODOO_API_KEY: Odoo refused them",),
        {"ODOO_URL": "{odoo_url}", "ODOO_API_KEY": "s3cret"},
    ),
    "key of an unknown service": Case(
        "key create nobody", ("no service 'nobody'", "fusion-billing service add")
    ),
    "unknown key": Case("key revoke 4711", ("no key 4711", "fusion-billing key list")),
    "run of an unknown service": Case("run --no-build --service nobody", ("no service 'nobody'",)),
    "nothing rated yet": Case("run --no-build --dry-run", ("Nothing is rated yet", "run")),
    "no margins yet": Case("margins", ("not built yet", "fusion-billing reconcile")),
    "bad month": Case("margins --month 2026-13", ("'2026-13' is not a month such as 2026-10",)),
    "month of one digit": Case(
        "close 2026-9", ("'2026-9' is not a month such as 2026-10: YYYY-MM",)
    ),
    "month beyond time": Case("close 9999-12", ("'9999-12'", "from 2000-01 to 2100-12")),
    "month before time": Case("replay --month 1999-12", ("'1999-12'", "from 2000-01 to 2100-12")),
    "margins by colour": Case("margins --by colour", ("'colour' is not one of",)),
    "bad date": Case("run --date 31.10.2026", ("'31.10.2026' is not a date such as 2026-10-31",)),
    "demo of the future": Case("demo --date 2999-01-01", ("in the future",)),
    "no such file": Case("import costs nowhere.csv", ("nowhere.csv", "does not exist")),
    "no model of costs": Case(
        "costs mirror",
        ("no model x_fc_provider_cost", "Set FUSION_API_MODEL", "import costs FILE"),
        {"ODOO_URL": "{odoo_url}", "ODOO_API_KEY": "admin"},
    ),
    "no metrics for drivers": Case("costs drivers apply {text_file}", ("odoo mirror",)),
    "no cost file": Case("import costs {text_file}", ("notes.txt",)),
    "no service of Lago's": Case(
        "import lago {text_file} --service nope", ("no service 'nope'", "service add")
    ),
    "no service of Stripe's": Case(
        "import stripe {text_file} --service nope", ("no service 'nope'", "service add")
    ),
    "unknown command": Case("frobnicate", ("No such command 'frobnicate'", "--help")),
    "unknown option": Case("service list --loud", ("No such option", "--loud", "--help")),
    "missing argument": Case("key create", ("Missing argument 'SERVICE'", "key create --help")),
}


@pytest.fixture(scope="module")
def fixtures(
    unmigrated_url: str, taken_port: int, odoo_url: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    text_file = tmp_path_factory.mktemp("files") / "notes.txt"
    text_file.write_text("Remember the milk.\n")
    return {
        "unmigrated_url": unmigrated_url,
        "taken_port": str(taken_port),
        "odoo_url": odoo_url,
        "text_file": str(text_file),
    }


@pytest.fixture(scope="module")
def answers(home: Path, database_url: str, fixtures: dict[str, str]) -> dict[str, Finished]:
    """Every case's answer; run side by side, for a start costs one to three seconds."""

    def answer(case: Case) -> Finished:
        given = {"DATABASE_URL": database_url, **case.given}
        variables = {name: value.format(**fixtures) for name, value in given.items()}
        words = [word.format(**fixtures) for word in case.command.split()]
        return fusion_billing(*words, env=environment(home, **variables))

    with ThreadPoolExecutor(max_workers=3) as pool:
        return dict(zip(CASES, pool.map(answer, CASES.values()), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_one_line_says_what_to_mend(
    name: str, answers: dict[str, Finished], fixtures: dict[str, str]
) -> None:
    answer = answers[name]
    assert answer.status == 2, answer
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("error: ")
    for words in CASES[name].says:
        assert words.format(**fixtures) in line
    assert "s3cret" not in line
