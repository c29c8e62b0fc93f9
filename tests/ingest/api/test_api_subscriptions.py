"""Subscriptions over HTTP: asked for, changed, ended; and what Odoo has of them."""

from __future__ import annotations

import concurrent.futures
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from endpoint_world import Service

from ingest.api.commands import has_begun

NOW = datetime.now(UTC).replace(microsecond=0)
SUBSCRIPTION = {
    "external_customer_id": "acct_1",
    "plan_code": "cloud_s",
    "external_id": "sub_1",
    "name": "Shop",
    "billing_time": "anniversary",
}


def post(app: Service, **changes: Any) -> Any:
    answer = app.post("/subscriptions", {"subscription": SUBSCRIPTION | changes})
    assert answer.status_code == 200, answer.text
    return answer.json()["subscription"]


def terminate(app: Service, external_id: str = "sub_1", **query: str) -> Any:
    return app.http.delete(f"/api/v1/subscriptions/{external_id}", params=query)


def commands(app: Service) -> list[Any]:
    return app.rows("kind, external_id, payload", "raw.command", order="command_id")


def iso(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def test_a_subscription_is_recorded_and_read_back(app: Service) -> None:
    made = post(app)
    assert {name: made[name] for name in SUBSCRIPTION} == SUBSCRIPTION
    assert made["status"] == "active"
    assert made["fusion"]["state"] == "pending"
    assert made["started_at"].endswith("Z")
    assert len(made["started_at"]) == len("2026-01-01T00:00:00.000Z")
    assert commands(app) == [("subscription", "sub_1", SUBSCRIPTION)]
    assert app.get("/subscriptions/sub_1").json() == {"subscription": made}
    assert app.get("/subscriptions").json()["subscriptions"] == [made]
    # As in Lago, the customer is there by it.
    customer = app.get("/customers/acct_1").json()["customer"]
    assert customer["lago_id"] == made["lago_customer_id"]
    assert customer["fusion"]["state"] == "none"


def test_a_repeat_is_no_new_command(app: Service) -> None:
    first = post(app)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: post(app), range(32)))
    assert all(answer == first for answer in answers)
    assert len(commands(app)) == 1


def test_another_plan_is_a_change_that_leaves_the_start(app: Service) -> None:
    begun = iso(NOW - timedelta(days=40))
    first = post(app, subscription_at=begun)
    changed = post(app, plan_code="cloud_m", subscription_at=iso(NOW), billing_time=None)
    assert changed["lago_id"] == first["lago_id"]
    assert (changed["plan_code"], changed["previous_plan_code"]) == ("cloud_m", "cloud_s")
    assert changed["subscription_at"] == begun
    assert changed["billing_time"] == "anniversary"
    assert changed["status"] == "active"
    assert len(commands(app)) == 2


def test_an_id_is_one_customers(app: Service) -> None:
    post(app)
    answer = app.post(
        "/subscriptions", {"subscription": SUBSCRIPTION | {"external_customer_id": "acct_2"}}
    )
    assert answer.status_code == 422
    assert answer.json()["error_details"] == {"external_id": ["value_already_exist"]}
    terminate(app).raise_for_status()
    assert post(app, external_customer_id="acct_2")["external_customer_id"] == "acct_2"


def test_termination_and_its_repeat(app: Service) -> None:
    post(app)
    ended = terminate(app).json()["subscription"]
    assert (ended["status"], ended["fusion"]["state"]) == ("terminated", "pending")
    assert ended["terminated_at"] is not None
    assert terminate(app).json()["subscription"] == ended
    assert [kind for kind, *_ in commands(app)] == ["subscription", "termination"]
    assert app.get("/subscriptions/sub_1").status_code == 404
    assert app.get("/subscriptions/sub_1", status="terminated").json()["subscription"] == ended
    assert app.get("/subscriptions").json()["subscriptions"] == []
    both = {"status[]": ["terminated", "active"]}
    assert app.get("/subscriptions", **both).json()["subscriptions"] == [ended]
    again = post(app)
    assert (again["status"], again["terminated_at"]) == ("active", None)


def test_one_that_has_not_begun_is_pending_and_then_canceled(app: Service) -> None:
    later = iso(NOW + timedelta(days=3))
    made = post(app, subscription_at=later)
    assert (made["status"], made["started_at"]) == ("pending", None)
    assert app.get("/subscriptions/sub_1").status_code == 404
    assert app.get("/subscriptions/sub_1", status="pending").status_code == 200
    ended = terminate(app, status="pending").json()["subscription"]
    assert (ended["status"], ended["terminated_at"]) == ("canceled", None)
    assert ended["canceled_at"] is not None
    post(app, external_id="sub_2")
    assert terminate(app, "sub_2", status="pending").status_code == 404


@pytest.mark.parametrize(
    ("begins", "begun"),
    [
        (None, True),
        ("2026-12-01", False),  # midnight in UTC is past, in Toronto it is not
        ("2026-11-30", True),
        ("2026-12-01T00:00:00Z", True),
        ("2026-12-01T00:00:00-05:00", False),
    ],
)
def test_a_bare_date_begins_with_the_companys_day(begins: str | None, begun: bool) -> None:
    evening = datetime(2026, 12, 1, 2, tzinfo=UTC)
    assert has_begun({"subscription_at": begins}, "America/Toronto", evening) is begun


def test_one_that_has_ended_by_its_day(app: Service) -> None:
    ended = post(
        app, subscription_at=iso(NOW - timedelta(days=9)), ending_at=iso(NOW - timedelta(days=1))
    )
    assert ended["status"] == "terminated"


def test_there_is_no_subscription_of_that_name(app: Service) -> None:
    for answer in (
        app.get("/subscriptions/nobody"),
        app.get("/subscriptions/%00"),
        terminate(app, "nobody"),
        terminate(app, "%00"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "subscription_not_found")


@pytest.mark.parametrize(
    ("changes", "details"),
    [
        (
            {"external_customer_id": None, "plan_code": "", "external_id": None},
            {
                "external_customer_id": ["value_is_mandatory"],
                "plan_code": ["value_is_mandatory"],
                "external_id": ["value_is_mandatory"],
            },
        ),
        ({"plan_code": 7}, {"plan_code": ["value_is_invalid"]}),
        ({"plan_code": "a\0"}, {"plan_code": ["value_is_invalid"]}),
        ({"external_id": "x" * 256}, {"external_id": ["value_is_invalid"]}),
        ({"billing_time": "weekly"}, {"billing_time": ["value_is_invalid"]}),
        ({"billing_time": ["calendar"]}, {"billing_time": ["value_is_invalid"]}),
        ({"subscription_at": "tomorrow"}, {"subscription_at": ["invalid_format"]}),
        ({"subscription_at": 1700000000}, {"subscription_at": ["invalid_format"]}),
        ({"subscription_at": "0001-01-01T00:00:00Z"}, {"subscription_at": ["invalid_format"]}),
        ({"ending_at": "9999-12-31T23:59:59-23:00"}, {"ending_at": ["invalid_format"]}),
        (
            {"subscription_at": "2026-02-01", "ending_at": "2026-01-31T00:00:00Z"},
            {"ending_at": ["value_is_invalid"]},
        ),
        ({"plan_overrides": "free"}, {"plan_overrides": ["value_is_invalid"]}),
    ],
)
def test_bad_fields_are_named(app: Service, changes: Any, details: Any) -> None:
    answer = app.post("/subscriptions", {"subscription": SUBSCRIPTION | changes})
    assert answer.status_code == 422
    assert answer.json()["error_details"] == details
    assert commands(app) == []


def test_prices_of_its_own_are_odoos(app: Service) -> None:
    cheap = SUBSCRIPTION | {"plan_overrides": {"amount_cents": 1}}
    answer = app.post("/subscriptions", {"subscription": cheap})
    assert (answer.status_code, answer.json()["code"]) == (403, "feature_unavailable")
    post(app, plan_overrides={})
    for query in ({"on_termination_invoice": "skip"}, {"on_termination_credit_note": "refund"}):
        assert terminate(app, **query).status_code == 403
    assert terminate(app, on_termination_invoice="never").status_code == 422
    assert terminate(app, status="lost").status_code == 422
    assert len(commands(app)) == 1


def test_filters_and_pages(app: Service) -> None:
    for number in range(3):
        post(app, external_id=f"s{number}", external_customer_id=f"acct_{number % 2}")
    post(app, external_id="m", plan_code="cloud_m", external_customer_id="acct_0")

    def ids(**query: Any) -> list[str]:
        answer = app.get("/subscriptions", **query)
        assert answer.status_code == 200, answer.text
        return sorted(one["external_id"] for one in answer.json()["subscriptions"])

    assert ids() == ["m", "s0", "s1", "s2"]
    assert ids(external_customer_id="acct_0") == ["m", "s0", "s2"]
    assert ids(external_customer_id="acct_0", plan_code="cloud_m") == ["m"]
    assert ids(status="pending") == []
    page = app.get("/subscriptions", per_page=3, page=2).json()
    assert (len(page["subscriptions"]), page["meta"]["prev_page"]) == (1, 1)
    assert app.get("/subscriptions", **{"status[]": "lost"}).status_code == 422
    answer = app.get("/subscriptions", plan_code="\0")
    assert answer.json()["error_details"] == {"plan_code": ["value_is_invalid"]}


# --- what Odoo has ---------------------------------------------------------------------------


def mirror(app: Service, table: str, number: int, **record: Any) -> int:
    """A record of the mirror; its id is this module's own."""
    number += 9_000_000 + 100 * int(app.code.removeprefix("app"))
    with psycopg.connect(app.endpoint.database_url) as connection:
        connection.execute(
            f"insert into raw.odoo_{table} (id, write_date, record) values (%s, now(), %s)"
            " on conflict (id) do update set record = excluded.record",
            [number, json.dumps({"id": number, **record})],
        )
    return number


def order(app: Service, number: int, **changes: Any) -> int:
    return mirror(
        app,
        "subscription",
        number,
        **{
            "name": f"S{number}",
            "state": "sale",
            "subscription_state": "3_progress",
            "x_fc_service_code": app.code,
            "x_fc_external_id": "sub_1",
            "x_fc_external_account_id": "acct_1",
            "x_fc_plan_code": "cloud_s",
            "x_fc_billing_time": "calendar",
            "partner_id": 7,
            "start_date": "2026-01-01",
            "end_date": False,
            "next_invoice_date": "2026-02-01",
        }
        | changes,
    )


def settle(
    app: Service, state: str, order_id: int | None = None, reason: str | None = None
) -> None:
    """The newest command's fate."""
    with psycopg.connect(app.endpoint.database_url) as connection:
        connection.execute(
            "insert into ops.command_state (command_id, state, odoo_order_id, reason, attempts)"
            " select max(command_id), %s, %s, %s, 1 from raw.command where service_code = %s"
            " on conflict (command_id) do update set state = excluded.state",
            [state, order_id, reason, app.code],
        )


def test_what_finance_made_in_odoo_is_told_as_well(app: Service) -> None:
    partner = mirror(app, "partner", 1, name="Maple", email="b@maple.example", vat=False)
    mirror(
        app,
        "account_link",
        1,
        x_service_code=app.code,
        x_external_account_id="acct_1",
        x_partner_id=partner,
    )
    number = order(app, 1)
    told = app.get("/subscriptions/sub_1").json()["subscription"]
    assert (told["status"], told["plan_code"]) == ("active", "cloud_s")
    assert told["subscription_at"] == "2026-01-01T05:00:00Z"
    assert told["fusion"]["state"] == "none"
    assert told["fusion"]["odoo"]["order_id"] == number
    customer = app.get("/customers/acct_1").json()["customer"]
    assert (customer["name"], customer["email"]) == ("Maple", "b@maple.example")
    assert customer["fusion"]["odoo"]["partner_id"] == partner
    # It can be ended, but is nobody else's.
    answer = app.post(
        "/subscriptions", {"subscription": SUBSCRIPTION | {"external_customer_id": "acct_2"}}
    )
    assert answer.json()["error_details"] == {"external_id": ["value_already_exist"]}
    assert terminate(app).json()["subscription"]["status"] == "terminated"


def test_the_state_of_a_command_is_told(app: Service) -> None:
    post(app)
    settle(app, "refused", reason="no such plan")
    fusion = app.get("/subscriptions/sub_1").json()["subscription"]["fusion"]
    assert (fusion["state"], fusion["reason"]) == ("refused", "no such plan")
    assert fusion["attempts"] == 1


def test_what_odoo_closed_is_terminated_whatever_was_asked(app: Service) -> None:
    post(app, subscription_at="2026-01-01")
    number = order(app, 1)
    settle(app, "applied", number)
    assert app.get("/subscriptions/sub_1").status_code == 200
    order(app, 1, subscription_state="6_churn")
    assert app.get("/subscriptions/sub_1").status_code == 404
    told = app.get("/subscriptions/sub_1", status="terminated").json()["subscription"]
    assert told["fusion"]["odoo"]["subscription_state"] == "6_churn"


def test_a_downgrade_waits_for_its_day(app: Service) -> None:
    post(app, plan_code="cloud_m", subscription_at="2026-01-01")
    post(app)
    today = NOW.date()
    order(app, 1, x_fc_plan_code="cloud_m", end_date=(today + timedelta(days=9)).isoformat())
    begins = (today + timedelta(days=10)).isoformat()
    settle(app, "applied", order(app, 2, start_date=begins))
    told = app.get("/subscriptions/sub_1").json()["subscription"]
    assert (told["status"], told["plan_code"]) == ("active", "cloud_m")
    assert (told["next_plan_code"], told["downgrade_plan_date"]) == ("cloud_s", begins)
