"""The examples of docs/api.md do what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from endpoint_world import REPOSITORY, Service

PAGE = (REPOSITORY / "docs" / "api.md").read_text()


def run(app: Service, *command: str) -> str:
    key = app.http.headers["Authorization"].removeprefix("Bearer ")
    done = subprocess.run(
        command,
        env=os.environ | {"FUSION_URL": app.endpoint.base, "FUSION_KEY": key},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def block(language: str, section: str = "") -> str:
    """The first block of the page, or of a section of it; the sections on reading usage and on
    customers are test_api_lago_clients.py's."""
    text = PAGE.partition(f"\n## {section}\n")[2] if section else PAGE
    found, *_ = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    return str(found)


def test_the_python_example(app: Service) -> None:
    run(app, sys.executable, "-c", block("python"))
    assert app.rows("transaction_id, properties") == [("msg-2025-06-01-7", {"value": 3})]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_example(app: Service) -> None:
    answer = run(app, "bash", "-c", block("bash"))
    promised = re.search(r"# (\{.*\})", block("bash"))
    assert promised
    assert re.sub(r"\d+\}\}$", "", answer) == re.sub(r"\d+\}\}$", "", promised[1])
    assert app.rows("value::text") == [("12.75",)]


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_example_of_costs(app: Service) -> None:
    example = block("bash", "Provider costs")
    promised = re.search(r"# (\{.*\})", example)
    assert promised
    assert run(app, "bash", "-c", example) == promised[1]
    assert app.rows("sku, external_account_id, amount::text", "raw.provider_cost") == [
        ("geocoding", "acct_42", "0.0527"),
        ("gpt_input", None, "0.50"),
    ]
    again = json.loads(run(app, "bash", "-c", example))
    assert again == {"costs": {"accepted": 0, "changed": 0, "duplicates": 2}}
