"""/webhook_endpoints: Lago's shapes, a secret that is told once, and no target inside."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import shutil
import subprocess
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from endpoint_world import REPOSITORY, Endpoint, Service, running

from ingest.api import webhook_endpoints
from ingest.api.problems import ProblemError
from ingest.api.webhook_endpoints import Receivers
from warehouse.webhooks import TargetPolicy

URL = "https://8.8.8.8/hooks/fusion"  # an address, so that no name server is asked
SHOWN = {
    "lago_id", "lago_organization_id", "webhook_url", "created_at", "signature_algo", "name",
    "event_types",
}  # fmt: skip


def add(app: Service, **fields: Any) -> httpx.Response:
    return app.post("/webhook_endpoints", {"webhook_endpoint": {"webhook_url": URL} | fields})


def added(app: Service, **fields: Any) -> dict[str, Any]:
    answer = add(app, **fields)
    assert answer.status_code == 200, answer.text
    endpoint: dict[str, Any] = answer.json()["webhook_endpoint"]
    return endpoint


def details(answer: httpx.Response) -> Any:
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "validation_errors"), answer.text
    return body["error_details"]


def test_an_endpoint_has_lagos_fields_and_its_secret_is_told_once(app: Service) -> None:
    made = added(app, name="Deprovisioning", event_types=["invoice.created"])
    secret = made.pop("secret")
    assert made.keys() == SHOWN
    assert (made["webhook_url"], made["signature_algo"], made["name"], made["event_types"]) == (
        URL, "hmac", "Deprovisioning", ["invoice.created"],
    )  # fmt: skip
    assert str(uuid.UUID(made["lago_id"])) == made["lago_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["created_at"])
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert secret.startswith("whsec_")

    path = f"/webhook_endpoints/{made['lago_id']}"
    listed = app.get("/webhook_endpoints").json()
    assert listed["webhook_endpoints"] == [made]
    assert listed["meta"]["total_count"] == 1
    assert app.get(path).json() == {"webhook_endpoint": made}
    body = {"webhook_endpoint": {"name": None, "event_types": ["*"]}}
    changed = app.http.put(f"/api/billing/v1{path}", json=body).json()["webhook_endpoint"]
    assert changed == made | {"name": None, "event_types": None}
    assert app.rows("secret", "ops.webhook_endpoint") == [(secret,)]
    assert app.http.delete(f"/api/v1{path}").json() == {"webhook_endpoint": changed}
    assert app.get(path).status_code == 404
    assert secret not in app.endpoint.log.read_text()


def test_another_one_has_another_secret(app: Service) -> None:
    secrets = {added(app, webhook_url=f"{URL}/{number}")["secret"] for number in range(3)}
    assert len(secrets) == 3


def test_without_types_all_are_meant(app: Service) -> None:
    assert added(app)["event_types"] is None
    types = ["invoice.voided", "invoice.created", "invoice.voided"]
    assert added(app, webhook_url=URL + "/2", event_types=types)["event_types"] == types[:2]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"webhook_url": None}, {"webhook_url": ["value_is_mandatory"]}),
        ({"webhook_url": ""}, {"webhook_url": ["value_is_mandatory"]}),
        ({"webhook_url": 7}, {"webhook_url": ["value_is_invalid"]}),
        ({"webhook_url": "https://8.8.8.8/" + "x" * 2000}, {"webhook_url": ["url_is_invalid"]}),
        ({"webhook_url": "http://8.8.8.8/"}, {"webhook_url": ["https_is_required"]}),
        ({"signature_algo": "jwt"}, {"signature_algo": ["only_hmac_is_supported"]}),
        ({"signature_algo": "HMAC"}, {"signature_algo": ["value_is_invalid"]}),
        ({"name": "x" * 256}, {"name": ["value_is_invalid"]}),
        ({"name": "a\0"}, {"name": ["value_is_invalid"]}),
        ({"name": ["a"]}, {"name": ["value_is_invalid"]}),
        ({"event_types": []}, {"event_types": ["value_is_invalid"]}),
        ({"event_types": "*"}, {"event_types": ["value_is_invalid"]}),
        ({"event_types": [None]}, {"event_types": ["value_is_invalid"]}),
        ({"event_types": ["wallet.created"]}, {"event_types": ["value_is_invalid"]}),
        (
            {"signature_algo": 1, "name": 1, "event_types": {}},
            {key: ["value_is_invalid"] for key in ("signature_algo", "name", "event_types")},
        ),
    ],
)
def test_a_bad_field_is_named(app: Service, fields: dict[str, Any], told: Any) -> None:
    assert details(add(app, **fields)) == told
    assert app.rows("url", "ops.webhook_endpoint") == []


INSIDE = (
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0.0.0.0", "10.1.2.3",  # noqa: S104
    "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.100.100.200", "168.63.129.16",
    "224.0.0.1", "255.255.255.255", "192.0.2.1", "[::1]", "[::]", "[fe80::1]", "[fd00:ec2::254]",
    "[ff02::1]", "[::ffff:127.0.0.1]", "[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[::7f00:1]", "[::a9fe:a9fe]", "localhost",
    "LOCALHOST.", "api.localhost",
    "printer.local", "metadata.google.internal", "intranet",
)  # fmt: skip


@pytest.mark.parametrize("host", INSIDE)
def test_a_target_inside_is_refused(app: Service, host: str) -> None:
    answer = add(app, webhook_url=f"https://{host}:8443/x")
    assert details(answer) == {"webhook_url": ["private_address"]}


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com/x", "//8.8.8.8/x", "ftp://8.8.8.8/", "file:///etc/passwd",
        "https://", "https:///x", "https://user:pw@8.8.8.8/", "https://8.8.8.8@127.0.0.1/",
        "https://127.0.0.1\\@8.8.8.8/", "https://8.8.8.8:0/", "https://8.8.8.8:70000/",
        "https://8.8.8.8:x/", "https://8.8.8.8/ x", "https://8.8.8.8/\n", "https://8.8.8.8/#x",
        "https://8.8.8.8\t/", "https://[::1/", "https://[fe80::1%25lo]/", "https://é.example/",
        "https://a..example/", "https://" + "a" * 64 + ".example/", "https://.example/",
    ],
)  # fmt: skip
def test_what_is_no_url_is_refused(app: Service, url: str) -> None:
    assert details(add(app, webhook_url=url)) == {"webhook_url": ["url_is_invalid"]}


@pytest.mark.parametrize("addresses", [["10.0.0.5"], ["8.8.8.8", "127.0.0.1"]])
def test_a_name_for_an_address_inside_is_refused(
    monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    """One is enough: which of several is connected to would be the name server's choice."""
    monkeypatch.setattr(webhook_endpoints, "_addresses", lambda *_: addresses)
    receivers = Receivers(TargetPolicy())
    with pytest.raises(ProblemError) as refused:
        asyncio.run(receivers.require_allowed("https://hooks.example.com/"))
    assert refused.value.body.error_details == {"webhook_url": ["private_address"]}
    receivers.close()


def test_a_name_that_is_not_resolved_in_time_is_judged_at_delivery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hung = threading.Event()
    monkeypatch.setattr(webhook_endpoints, "_addresses", lambda *_: hung.wait(20) and [])
    monkeypatch.setattr(webhook_endpoints, "_NAME_SERVER_SECONDS", 0.1)
    receivers = Receivers(TargetPolicy())
    asyncio.run(receivers.require_allowed("https://hooks.example.com/"))
    hung.set()
    receivers.close()


def test_a_url_stands_once_a_service(app: Service, endpoint: Endpoint) -> None:
    first = added(app)
    assert details(add(app)) == {"webhook_url": ["value_already_exist"]}
    second = added(app, webhook_url=URL + "/2")
    body = {"webhook_endpoint": {"webhook_url": URL}}
    answer = app.http.put(f"/api/v1/webhook_endpoints/{second['lago_id']}", json=body)
    assert details(answer) == {"webhook_url": ["value_already_exist"]}
    assert added(endpoint.service())["webhook_url"] == first["webhook_url"]


def test_what_is_refused_costs_no_connection(app: Service) -> None:
    """Each 422 once cut the pool's connection, and the next request paid for a new one."""

    def connections() -> set[Any]:
        with psycopg.connect(app.endpoint.database_url) as connection:
            rows = connection.execute(
                "select pid from pg_stat_activity where application_name = 'fusion-billing-ingest'"
            )
            return {row[0] for row in rows}

    added(app)
    second = added(app, webhook_url=f"{URL}/2")
    before = connections()
    assert before
    for _ in range(3):
        assert details(add(app)) == {"webhook_url": ["value_already_exist"]}
        body = {"webhook_endpoint": {"webhook_url": URL}}
        answer = app.http.put(f"/api/v1/webhook_endpoints/{second['lago_id']}", json=body)
        assert details(answer) == {"webhook_url": ["value_already_exist"]}
    assert before <= connections()


def test_ten_is_ten_even_at_once(app: Service) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda number: add(app, webhook_url=f"{URL}/{number}"), range(16))
        )
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(refused) == 6
    assert all(details(answer) == {"base": ["exceeded_limit"]} for answer in refused)
    assert app.rows("count(*)", "ops.webhook_endpoint") == [(10,)]


NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("number", ["nobody", NOBODY, "%00", "1"])
def test_an_unknown_endpoint_is_not_found(app: Service, method: str, number: str) -> None:
    body = {"webhook_endpoint": {}} if method == "PUT" else None
    answer = app.http.request(method, f"/api/v1/webhook_endpoints/{number}", json=body)
    assert answer.status_code == 404
    assert answer.json()["code"] == "webhook_endpoint_not_found"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400), ("[]", 400), ("{}", 400), ('{"webhook_endpoint": null}', 400),
        ('{"webhook_endpoint": 1}', 422), ('{"webhook_endpoint": [{}]}', 422),
        ('{"webhook_endpoint": {}}', 422), (b'{"webhook_endpoint": {"name": "\xff"}}', 400),
        ('{"webhook_endpoint": {"name": NaN}}', 400),
        ('{"webhook_endpoint": {"name": "\\ud800"}}', 400),
        ('{"webhook_endpoint": {}, "webhook_endpoint": {}}', 400),
        ('{"webhook_endpoint": {"webhook_url": "' + URL + '", "webhook_url": "x"}}', 422),
        ('{"webhook_endpoint": {"name": ' + "[" * 100_000, 400),
    ],
)  # fmt: skip
def test_a_body_that_is_no_endpoint(app: Service, body: str | bytes, status: int) -> None:
    answer = app.post_raw("/webhook_endpoints", body)
    assert answer.status_code == status, answer.text
    assert app.rows("url", "ops.webhook_endpoint") == []


def test_the_endpoints_role_cannot_read_a_secret(app: Service) -> None:
    added(app)
    with psycopg.connect(app.endpoint.database_url) as connection:
        connection.execute("set role fusion_ingest")
        assert connection.execute("select url from ops.webhook_endpoint").fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select secret from ops.webhook_endpoint")


def test_a_setting_opens_this_machine(api_database_url: str, tmp_path: Path) -> None:
    with running(api_database_url, tmp_path, WEBHOOK_ALLOW_PRIVATE="true") as opened:
        app = opened.service()
        made = added(app, webhook_url="http://127.0.0.1:9000/hooks")
        assert made["webhook_url"] == "http://127.0.0.1:9000/hooks"
        assert details(add(app, webhook_url="http://a@127.0.0.1/")) == {
            "webhook_url": ["url_is_invalid"]
        }


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_curl_example_of_the_page(app: Service) -> None:
    page = (REPOSITORY / "docs" / "webhooks.md").read_text()
    (example,) = re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
    key = app.http.headers["Authorization"].removeprefix("Bearer ")
    done = subprocess.run(
        ["bash", "-euc", example],
        env=os.environ | {"FUSION_URL": app.endpoint.base, "FUSION_KEY": key},
        capture_output=True,
        text=True,
        check=True,
    )
    made = json.loads(done.stdout)["webhook_endpoint"]
    assert made["secret"].startswith("whsec_")
    assert app.rows("url, name, cardinality(event_types)", "ops.webhook_endpoint") == [
        ("https://app.example.com/hooks/billing", "Deprovisioning", 4)
    ]
