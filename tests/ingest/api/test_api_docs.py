"""The examples of docs/api.md do what they say."""

from __future__ import annotations

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


def block(language: str) -> str:
    """The page's first block; the section on reading usage is test_api_lago_clients.py's."""
    found, *_ = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
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
