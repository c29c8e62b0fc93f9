"""Settings: one line for each that is wrong, naming the variable; and dbt's share of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from warehouse.dbt_project import dbt_environment
from warehouse.settings import FusionEnv, Settings, SettingsError, load_settings


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither this machine's variables nor anybody's .env."""
    names = {name.upper() for name in Settings.model_fields}
    for name in list(os.environ):
        if name.upper() in names:
            monkeypatch.delenv(name)
    monkeypatch.setenv("FUSION_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_all_defaults_stand_in_the_example() -> None:
    """Every setting is documented, and the value shown there is the default."""
    example = Path(__file__).resolve().parent.parent.parent / ".env.example"
    lines = [line.lstrip("# ") for line in example.read_text().splitlines() if "=" in line]
    shown = dict(line.split("=", 1) for line in lines if line.split("=", 1)[0].isupper())
    assert set(shown) >= {name.upper() for name in Settings.model_fields}
    settings = load_settings()
    for name, field in Settings.model_fields.items():
        if name == "fusion_home":
            continue
        default = getattr(settings, name)
        text = "" if default is None else str(getattr(default, "value", default))
        assert shown[name.upper()].lower() == text.lower(), name
        assert field.default is not ...


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("FUSION_ENV", "staging", "'dev', 'ci' or 'production'"),
        ("COMPANY_TIMEZONE", "Canada/Torronto", "is not an IANA time zone such as America/Toronto"),
        ("COMPANY_TIMEZONE", "../etc/passwd", "is not an IANA time zone"),
        ("COMPANY_CURRENCY", "cad", "is not an ISO 4217 code such as CAD"),
        ("COMPANY_CURRENCY", "DOLLAR", "is not an ISO 4217 code"),
        ("USAGE_GRACE_HOURS", "-1", "greater than or equal to 0"),
        ("USAGE_GRACE_HOURS", "a day", "valid integer"),
        ("USAGE_GRACE_HOURS", "1.5", "valid integer"),
        ("MARGIN_FLOOR_PCT", "101", "less than or equal to 100"),
        ("MARGIN_FLOOR_PCT", "nan", "finite number"),
        ("DATABASE_URL", "mysql://root@localhost/x", "must start with postgresql://"),
        ("ODOO_TRANSPORT", "xmlrpc", "'jsonrpc' or 'json2'"),
        ("SERVE_PORT", "0", "greater than or equal to 1"),
        ("SERVE_PORT", "70000", "less than or equal to 65535"),
        ("MAX_BODY_MB", "0", "greater than or equal to 1"),
        ("LAGO_STRICT_DUPLICATES", "perhaps", "valid boolean"),
        (
            "FUSION_API_FIELDS",
            "cost=x_cost",
            "'cost=x_cost' is not like amount=x_amount; the",
        ),
        ("FUSION_API_FIELDS", "amount", "'amount' is not like amount=x_amount"),
        (
            "FUSION_API_FIELDS",
            "day=",
            "day needs a field; only service_code and",
        ),
    ],
)
def test_a_bad_variable_is_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    message = str(refused.value)
    assert message.startswith(f"{name}: ")
    assert reason in message
    assert message.endswith("See .env.example.")
    assert "\n" not in message
    assert refused.value.__cause__ is None


def test_fields_of_the_cost_model_are_named_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSION_API_FIELDS", "amount=cost, day = date,external_account_id=")
    fields = load_settings().cost_fields
    assert fields["amount"] == "cost"
    assert fields["day"] == "date"
    assert fields["external_account_id"] == ""
    assert fields["service_code"] == "x_service_code"


def test_a_bad_database_url_does_not_show_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://root:hunter2@localhost/x")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "hunter2" not in str(refused.value)


def test_production_needs_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUSION_ENV", "production")
    with pytest.raises(SettingsError, match="FUSION_ENV=production needs DATABASE_URL"):
        load_settings()
    monkeypatch.setenv("DATABASE_URL", "postgresql://db.example.com/fusion")
    assert load_settings().fusion_env is FusionEnv.PRODUCTION


def test_an_empty_variable_is_as_if_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "ODOO_URL", "USAGE_GRACE_HOURS", "FUSION_ENV"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (settings.database_url, settings.odoo_url) == (None, None)
    assert (settings.usage_grace_hours, settings.fusion_env) == (24, FusionEnv.DEV)


def test_the_environment_beats_env_and_env_beats_what_up_wrote(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = "ODOO_DB=up\nODOO_USER=up\nODOO_URL=http://up\n"
    (tmp_path / "up.env").write_text(f"FUSION_UP_PID={os.getpid()}\n{written}")
    (tmp_path / ".env").write_text("ODOO_DB=env\nODOO_USER=env\n")
    monkeypatch.setenv("ODOO_DB", "shell")
    settings = load_settings()
    assert (settings.odoo_db, settings.odoo_user, settings.odoo_url) == (
        "shell",
        "env",
        "http://up",
    )


def test_a_key_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODOO_API_KEY", "very-secret")
    assert "very-secret" not in repr(load_settings())


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        (
            "postgresql://postgres:@/fusion?host=/run/pg",
            {"HOST": "/run/pg", "PORT": "5432", "USER": "postgres", "DATABASE": "fusion"},
        ),
        (
            "postgresql:///fusion?host=/run/pg&port=5433&user=ann",
            {"HOST": "/run/pg", "PORT": "5433", "USER": "ann", "DATABASE": "fusion"},
        ),
        (
            "postgresql://ann@db.example.com:6543/fusion",
            {"HOST": "db.example.com", "PORT": "6543", "USER": "ann", "DATABASE": "fusion"},
        ),
        (
            "postgres://ann@db.example.com/fusion",
            {"HOST": "db.example.com", "PORT": "5432", "USER": "ann", "DATABASE": "fusion"},
        ),
    ],
)
def test_dbt_takes_a_url_in_parts(url: str, parts: dict[str, str]) -> None:
    found = dbt_environment(url, load_settings())
    assert {name: found[f"FUSION_PG_{name}"] for name in parts} == parts
    assert found["DBT_ENV_SECRET_PG_PASSWORD"] == ""


def test_dbt_gets_password_and_company_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPANY_TIMEZONE", "America/Vancouver")
    monkeypatch.setenv("USAGE_GRACE_HOURS", "48")
    found = dbt_environment("postgresql://ann:p%40ss%2Fword@db/fusion", load_settings())
    assert found["DBT_ENV_SECRET_PG_PASSWORD"] == "p@ss/word"
    assert (found["COMPANY_TIMEZONE"], found["USAGE_GRACE_HOURS"]) == ("America/Vancouver", "48")
    assert not any(
        "p@ss" in value for name, value in found.items() if name != "DBT_ENV_SECRET_PG_PASSWORD"
    )


def test_dbt_sessions_are_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGTZ", "America/Toronto")
    assert dbt_environment("postgresql://db/fusion", load_settings())["PGTZ"] == "UTC"


def test_the_margin_floor_reaches_dbt_digit_for_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARGIN_FLOOR_PCT", "12.50")
    found = dbt_environment("postgresql://db/fusion", load_settings())
    assert found["MARGIN_FLOOR_PCT"] == "12.50"


def test_what_a_killed_up_left_behind_is_not_read(tmp_path: Path) -> None:
    """`make demo` then failed at an ODOO_URL that nobody had set."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    (tmp_path / "up.env").write_text(f"FUSION_UP_PID={ended.pid}\nODOO_URL=http://gone\n")
    assert load_settings().odoo_url is None
