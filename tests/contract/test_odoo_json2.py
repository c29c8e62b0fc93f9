"""JSON-2 as it stands on the wire: statuses, error bodies, and the order of Odoo's checks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from odoo_world import Server, World
from servers import choices

from odoo_gateway.client import OdooClient
from warehouse.settings import OdooTransport

pytestmark = [
    pytest.mark.odoo_real,
    pytest.mark.parametrize(
        "server", choices(OdooTransport.JSON2), indirect=True, ids="-".join, scope="session"
    ),
]
HTTP = "werkzeug.exceptions."
ODOO = "odoo.exceptions."
PARTNER = "/json/2/res.partner/"
HINT = "Did you mean POST /json/2/<model>/<method>?"


class Wire:
    """Sends what a test says and nothing else."""

    def __init__(self, http: httpx.Client, server: Server) -> None:
        self.http = http
        self.headers = {
            "Authorization": f"Bearer {server.key}",
            "X-Odoo-Database": server.db,
            "Content-Type": "application/json",
        }

    def send(
        self, path: str, body: Any = None, *, verb: str = "POST", **headers: str | None
    ) -> httpx.Response:
        """`body` as JSON, or as it is when it is text. A header of None is left out."""
        named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        merged = {**{name.lower(): value for name, value in self.headers.items()}, **named}
        content = body if isinstance(body, str) else json.dumps(body or {})
        kept = {name: value for name, value in merged.items() if value is not None}
        return self.http.request(verb, path, content=content, headers=kept)

    def refused(self, path: str, body: Any = None, **rest: Any) -> tuple[int, str, str]:
        """Status, class and message; the rest of the error body is as always."""
        response = self.send(path, body, **rest)
        error = response.json()
        assert set(error) == {"name", "message", "arguments", "context", "debug"}
        assert error["arguments"][0] == error["message"]
        assert error["context"] == {}
        assert error["name"].rpartition(".")[2] in error["debug"]
        return response.status_code, error["name"], error["message"]


@pytest.fixture(scope="session")
def wire(server: Server, odoo: OdooClient) -> Iterator[Wire]:
    """`odoo` has brought the fields and models."""
    with httpx.Client(base_url=server.url, timeout=60) as http:
        yield Wire(http, server)


def test_the_version_needs_neither_key_nor_database(wire: Wire) -> None:
    for path in ("/json/version", "/web/version"):
        response = wire.send(
            path, "", verb="GET", authorization=None, x_odoo_database=None, content_type=None
        )
        assert response.status_code == 200
        assert response.json()["version_info"][:2] == [19, 0]
        assert response.json()["version"].startswith("19.0")


def test_keys(wire: Wire) -> None:
    path, domain = f"{PARTNER}search_count", {"domain": []}
    bad = (401, f"{HTTP}Unauthorized", "Invalid apikey")
    none = (
        401,
        f"{HTTP}Unauthorized",
        "User not authenticated, use an API Key with a Bearer Authorization header.",
    )
    assert wire.refused(path, domain, authorization="Bearer not-the-key") == bad
    assert wire.refused(path, domain, authorization=None) == none
    assert wire.refused(path, domain, authorization="Basic YWRtaW46YWRtaW4=") == none
    lower = wire.headers["Authorization"].replace("Bearer", "bearer")
    assert wire.send(path, domain, authorization=lower).status_code == 200
    answer = wire.send(path, domain, authorization="Bearer not-the-key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_unknown_database_is_a_page_whatever_the_key(wire: Wire) -> None:
    for key in ("Bearer not-the-key", wire.headers["Authorization"]):
        response = wire.send(
            f"{PARTNER}search_count", {}, x_odoo_database="no_such_database", authorization=key
        )
        assert response.status_code == 404
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "No database is selected" in response.text


def test_the_key_is_looked_at_before_the_body_and_the_model(wire: Wire) -> None:
    for path, body in ((f"{PARTNER}search_count", "{bad"), ("/json/2/no.model/search", {})):
        assert wire.refused(path, body, authorization="Bearer x")[0] == 401


@pytest.mark.parametrize("kind", ["text/plain", "application/json-rpc", None])
def test_other_media_types_are_a_page(wire: Wire, kind: str | None) -> None:
    response = wire.send(f"{PARTNER}search_count", {"domain": []}, content_type=kind)
    assert response.status_code == 415
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Unsupported Media Type" in response.text


def test_a_charset_is_no_other_media_type(wire: Wire) -> None:
    kind = "application/json; charset=utf-8"
    answer = wire.send(f"{PARTNER}search_count", {"domain": []}, content_type=kind)
    assert answer.status_code == 200


def test_bodies_that_are_no_object(wire: Wire) -> None:
    path = f"{PARTNER}search_count"
    status, name, message = wire.refused(path, "{bad")
    assert (status, name) == (400, f"{HTTP}BadRequest")
    assert message == (
        "could not parse the body as json: Expecting property name enclosed in double quotes:"
        " line 1 column 2 (char 1)"
    )
    missing = (422, f"{HTTP}UnprocessableEntity", "missing a required argument: 'domain'")
    for body in ("null", "[1]", '"x"'):
        assert wire.refused(path, body) == missing
    assert wire.refused(path, "", content_type=None) == missing


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", f"{PARTNER}search_count"),
        ("PUT", f"{PARTNER}search_count"),
        ("POST", "/json/2/res.partner"),
        ("POST", "/json/2"),
        ("POST", f"{PARTNER}search/x"),
    ],
)
def test_other_verbs_and_paths_are_hinted_at(wire: Wire, verb: str, path: str) -> None:
    hint = (404, f"{HTTP}NotFound", HINT)
    assert wire.refused(path, verb=verb) == hint
    assert wire.refused(path, verb=verb, authorization="Bearer x") == hint


@pytest.mark.parametrize(
    ("path", "body", "status", "name", "message"),
    [
        ("no.model/_x", {}, 404, f"{HTTP}NotFound", "the model 'no.model' does not exist"),
        (
            "res.partner/no_such_method",
            {},
            404,
            f"{HTTP}NotFound",
            "The method 'res.partner.no_such_method' does not exist",
        ),
        (
            "res.partner/_name",
            {},
            403,
            f"{ODOO}AccessError",
            "Private methods (such as 'res.partner._name') cannot be called remotely.",
        ),
        (
            "res.partner/search_read",
            {"ids": [1], "domain": []},
            422,
            f"{HTTP}UnprocessableEntity",
            "cannot call res.partner.search_read with ids",
        ),
        (
            "res.partner/search_count",
            {"domain": [], "foo": 1},
            422,
            f"{HTTP}UnprocessableEntity",
            "got an unexpected keyword argument 'foo'",
        ),
        (
            "res.partner/search_read",
            {"domain": [], "foo": 1},
            500,
            "builtins.TypeError",
            "BaseModel._read_format() got an unexpected keyword argument 'foo'",
        ),
        (
            "res.partner/create",
            {},
            422,
            f"{HTTP}UnprocessableEntity",
            "missing a required argument: 'vals_list'",
        ),
        (
            "res.partner/write",
            {"ids": [1], "values": {}},
            422,
            f"{HTTP}UnprocessableEntity",
            "missing a required argument: 'vals'",
        ),
        (
            "res.partner/search_read",
            {"fields": ["x_no"]},
            500,
            "builtins.ValueError",
            "Invalid field 'x_no' on 'res.partner'",
        ),
        (
            "res.partner/create",
            {"vals_list": [{"name": "A", "x_no": 1}]},
            500,
            "builtins.ValueError",
            "Invalid field 'x_no' in 'res.partner'",
        ),
        (
            "res.partner/create",
            {"vals_list": [{}]},
            422,
            f"{ODOO}ValidationError",
            "The operation cannot be completed: Contacts require a name",
        ),
        (
            "res.partner/write",
            {"ids": [99_999_999], "vals": {"name": "x"}},
            404,
            f"{ODOO}MissingError",
            "Record does not exist or has been deleted.\n(Record: res.partner(99999999,), User: 2)",
        ),
    ],
)
def test_refusals(
    wire: Wire, path: str, body: dict[str, Any], status: int, name: str, message: str
) -> None:
    assert wire.refused(f"/json/2/{path}", body) == (status, name, message)


def test_a_user_error_is_422(wire: Wire, world: World) -> None:
    order = world.order()
    assert wire.refused("/json/2/sale.order/action_confirm", {"ids": [order]}) == (
        422,
        f"{ODOO}UserError",
        "Some orders are not in a state requiring confirmation.",
    )


def test_create_answers_a_list_for_one_too(wire: Wire) -> None:
    for values in ({"name": "A"}, [{"name": "A"}]):
        response = wire.send(f"{PARTNER}create", {"vals_list": values})
        assert response.status_code == 200
        (number,) = response.json()
        assert isinstance(number, int)


def test_missing_records_are_not_read(wire: Wire) -> None:
    body = {"ids": [99_999_999], "fields": ["name"]}
    response = wire.send(f"{PARTNER}read", body)
    assert (response.status_code, response.json()) == (200, [])


def test_no_ids_and_no_context_may_be_said(wire: Wire) -> None:
    for body in ({"ids": [], "domain": []}, {"ids": None, "context": None, "domain": []}):
        response = wire.send(f"{PARTNER}search_count", body)
        assert response.status_code == 200
        assert response.json() > 0


def test_search_read_without_arguments_reads_all(wire: Wire) -> None:
    response = wire.send("/json/2/res.company/search_read", "", content_type=None)
    assert response.status_code == 200
    assert {"id", "name", "currency_id"} <= set(response.json()[0])


def test_no_cookie_is_set(wire: Wire) -> None:
    response = wire.send(f"{PARTNER}search_count", {"domain": []})
    assert "set-cookie" not in response.headers
