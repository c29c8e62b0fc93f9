"""Services and keys through the command: what is made is listed, shown once, and can be ended."""

from __future__ import annotations

from pathlib import Path

import psycopg
from command_line import environment, fusion_billing


def test_a_service_and_its_keys_from_first_to_last(env: dict[str, str], database_url: str) -> None:
    def command(line: str) -> object:
        finished = fusion_billing(*line.split(), "--format", "json", env=env)
        assert (finished.status, finished.stderr) == (0, ""), finished
        return finished.json()

    added = command("service add nexacloud --name [nexacloud]")
    assert isinstance(added, dict)
    assert (added["code"], added["name"]) == ("nexacloud", "[nexacloud]")
    assert added.pop("phase") == "shadow"
    assert command("service list") == [added]

    first = command("key create nexacloud")
    assert isinstance(first, dict)
    assert first["service"] == "nexacloud"
    assert first["key"].startswith("fb_nexacloud_")
    second = command("key rotate nexacloud --overlap-hours 1")
    assert isinstance(second, dict)
    assert second["key"] != first["key"]

    keys = command("key list")
    assert isinstance(keys, list)
    assert [key["hint"] for key in keys] == [first["key"][-4:], second["key"][-4:]]
    assert [key["expires_at"] is not None for key in keys] == [True, False]
    number = keys[1]["key_id"]
    assert command(f"key revoke {number}") == {"key_id": number, "revoked": True}
    keys = command("key list")
    assert isinstance(keys, list)
    assert [key["revoked_at"] is not None for key in keys] == [False, True]

    with psycopg.connect(database_url) as connection:
        stored = connection.execute("select api_key::text from ops.api_key").fetchall()
    assert all(key["key"] not in str(stored) for key in (first, second))

    # Brackets are not a style: what an operator typed is shown as typed.
    table = fusion_billing("service", "list", env=env)
    assert "[nexacloud]" in table.stdout
    again = fusion_billing("service", "add", "nexacloud", env=env)
    assert (again.status, again.stdout) == (2, "")
    assert again.stderr == "error: The service nexacloud exists already.\n"


def test_migrate_brings_an_empty_database_up_and_can_be_repeated(
    home: Path, unmigrated_url: str
) -> None:
    env = environment(home, DATABASE_URL=unmigrated_url)
    first = fusion_billing("migrate", "--format", "json", env=env)
    assert (first.status, first.stderr) == (0, "")
    assert fusion_billing("migrate", "--format", "json", env=env).json() == first.json()
    assert fusion_billing("service", "list", "--format", "json", env=env).json() == []
