"""Provider costs by RPC, from a model that a test makes in the double of Odoo, over HTTP."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cost_model import OWN_FIELDS, make_model
from sqlalchemy.engine import Engine

from ingest.costs import odoo_model
from ingest.costs.odoo import CostMirrorReport, has_landed, mirror_costs
from ingest.costs.odoo_model import CostModel, CostModelError, MissingCostModelError
from ingest.odoo_mirror import MassDeletionError
from odoo_gateway.client import OdooClient
from odoo_gateway.connect import connect
from sandbox.odoo.launch import running_double
from warehouse.settings import COST_FIELDS
from warehouse.tables import provider_cost

D = Decimal
TODAY = date(2026, 9, 30)
OWN = CostModel("x_fc_provider_cost", COST_FIELDS)
# As an addon might have it: links, a monetary amount, no accounts.
LINKED = CostModel(
    "x_fusion_cost",
    COST_FIELDS
    | {
        "currency": "x_currency_id",
        "amount": "x_cost",
        "service_code": "",
        "external_account_id": "",
    },
)


@pytest.fixture(scope="module")
def bare() -> Iterator[OdooClient]:
    """An Odoo without any model of costs, until a test makes them."""
    with (
        tempfile.TemporaryDirectory(prefix="fusion-odoo-") as folder,
        running_double(Path(folder) / "odoo.db", db="fusion") as url,
    ):
        yield connect(url, "fusion", "admin", "admin", timeout=30)


@pytest.fixture(scope="module")
def client(bare: OdooClient) -> OdooClient:
    make_model(bare, OWN.name, OWN_FIELDS)
    make_model(
        bare,
        LINKED.name,
        {
            "x_provider": {"ttype": "char"},
            "x_sku": {"ttype": "char"},
            "x_day": {"ttype": "date"},
            "x_quantity": {"ttype": "float"},
            "x_cost": {"ttype": "char"},
            "x_currency_id": {"ttype": "many2one", "relation": "res.currency"},
        },
    )
    return bare


@pytest.fixture(autouse=True)
def _empty(engine: Engine, request: pytest.FixtureRequest) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(provider_cost))
    if "client" in request.fixturenames:
        client: OdooClient = request.getfixturevalue("client")
        for model in (OWN, LINKED):
            ids = [row["id"] for row in client.search_read(model.name, [], ["id"])]
            client.call(model.name, "unlink", ids)


def put(client: OdooClient, *changes: dict[str, Any]) -> list[int]:
    one = {
        "x_provider": "openai", "x_sku": "gpt_input", "x_day": "2026-09-01",
        "x_service_code": "nexadesk", "x_quantity": 1250000.5, "x_amount": 0.0000001,
        "x_currency": "USD",
    }  # fmt: skip
    return client.create(OWN.name, [one | change for change in changes])


def run(engine: Engine, client: OdooClient, model: CostModel = OWN, **how: Any) -> CostMirrorReport:
    return mirror_costs(engine, client, model, today=TODAY, **how)


def stored(engine: Engine) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(sa.text("""
            select sku, day::text, service_code, external_account_id, quantity::text, amount::text,
                currency
            from raw.provider_cost where source = 'odoo' order by cost_key
        """))  # fmt: skip
        return [tuple(row) for row in rows]


def test_without_the_model_the_setting_is_named(engine: Engine, bare: OdooClient) -> None:
    absent = CostModel("x_nothing", COST_FIELDS)
    with pytest.raises(
        MissingCostModelError, match=r"^Odoo has no model x_nothing .*\. Set FUSION_API_MODEL to"
    ):
        run(engine, bare, absent)
    assert not has_landed(engine)


def test_a_field_that_is_missing_or_of_the_wrong_kind_is_named(
    engine: Engine, client: OdooClient
) -> None:
    wrong = CostModel(OWN.name, COST_FIELDS | {"amount": "x_cost", "sku": "x_article"})
    with pytest.raises(CostModelError, match=r"has no x_article, x_cost: .*API_FIELDS.*x_sku"):
        run(engine, client, wrong)
    undated = CostModel(OWN.name, COST_FIELDS | {"day": "x_sku"})
    with pytest.raises(CostModelError, match=r"x_sku is char, and day must be date: name another"):
        run(engine, client, undated)


def test_costs_land_as_odoo_shows_them(engine: Engine, client: OdooClient) -> None:
    """A double's shortest decimal, not its binary expansion; unset is null."""
    put(client, {}, {"x_external_account_id": "acct_1", "x_amount": 0.1}, {"x_service_code": False})
    assert run(engine, client) == CostMirrorReport(3, 3, 0, 0, 0, since=None)
    assert stored(engine) == [
        ("gpt_input", "2026-09-01", None, None, "1250000.5", "0.0000001", "USD"),
        ("gpt_input", "2026-09-01", "nexadesk", None, "1250000.5", "0.0000001", "USD"),
        ("gpt_input", "2026-09-01", "nexadesk", "acct_1", "1250000.5", "0.1", "USD"),
    ]
    with engine.connect() as connection:
        assert connection.execute(
            sa.select(provider_cost.c.source, provider_cost.c.file).distinct()
        ).all() == [("odoo", "x_fc_provider_cost")]


def test_a_double_that_was_computed_is_rounded_and_one_too_large_is_refused(
    engine: Engine, client: OdooClient
) -> None:
    """31 x 0.0527 is 1.6337000000000002 in doubles, and 0.1 + 0.2 is 0.30000000000000004."""
    record, _ = put(
        client, {"x_amount": 31 * 0.0527}, {"x_day": "2026-09-02", "x_quantity": 0.1 + 0.2}
    )
    run(engine, client)
    first, second = stored(engine)
    assert (D(first[5]), D(second[4])) == (D("1.6337"), D("0.3"))
    client.write(OWN.name, [record], {"x_amount": 1e15})
    with pytest.raises(CostModelError, match=rf"id {record}, x_amount: has more than 15 digits"):
        run(engine, client)


def test_a_second_pass_changes_nothing_and_a_correction_replaces(
    engine: Engine, client: OdooClient
) -> None:
    first, _ = put(client, {"x_amount": 1.5}, {"x_day": "2026-09-02", "x_amount": 2})
    run(engine, client)
    again = run(engine, client)
    assert again == CostMirrorReport(2, 0, 2, 0, 0, since=date(2026, 7, 2))
    client.write(OWN.name, [first], {"x_amount": 1.75})
    assert run(engine, client).changed == 1
    assert [row[5] for row in stored(engine)] == ["1.75", "2.0"]


def test_what_is_moved_or_deleted_in_odoo_is_not_counted_twice(
    engine: Engine, client: OdooClient
) -> None:
    moved, gone, _ = put(client, {}, {"x_day": "2026-09-02"}, {"x_day": "2026-09-03"})
    run(engine, client)
    client.write(OWN.name, [moved], {"x_sku": "gpt_output"})
    client.call(OWN.name, "unlink", [gone])
    report = run(engine, client)
    assert (report.new, report.unchanged, report.deleted) == (1, 1, 2)
    assert [row[:2] for row in stored(engine)] == [
        ("gpt_input", "2026-09-03"),
        ("gpt_output", "2026-09-01"),
    ]


def test_an_old_day_that_was_written_again_is_read_whole(
    engine: Engine, client: OdooClient
) -> None:
    """The day before the window has two records of one cost, and one of them is corrected: the
    cost stays the sum of both."""
    old = {"x_day": "2025-01-05"}
    one, _, _ = put(client, old | {"x_amount": 1}, old | {"x_amount": 2}, {"x_day": "2026-09-03"})
    assert run(engine, client).read == 2
    client.write(OWN.name, [one], {"x_amount": 1.25})
    report = run(engine, client)
    assert (report.since, report.changed, report.deleted) == (date(2026, 7, 3), 1, 0)
    assert stored(engine)[0][1:6:4] == ("2025-01-05", "3.25")


def test_an_old_day_of_which_nothing_was_written_is_not_read_again(
    engine: Engine, client: OdooClient
) -> None:
    """Records are written today; a window that begins later than that holds the last one alone."""
    put(client, {"x_day": "2025-01-05"}, {"x_day": "2099-06-01"})
    run(engine, client)
    report = mirror_costs(engine, client, OWN, today=date(2099, 6, 1))
    assert (report.read, report.since) == (1, date(2099, 3, 31))
    assert len(stored(engine)) == 2
    assert mirror_costs(engine, client, OWN, today=date(2099, 6, 1), full=True).read == 2


def test_records_of_one_key_are_one_cost(engine: Engine, client: OdooClient) -> None:
    """fusion_api may keep one a day and provider key: 0.1 + 0.2 is 0.3, not 0.30000000000000004."""
    put(client, {"x_amount": 0.1, "x_quantity": 1}, {"x_amount": 0.2, "x_quantity": 2})
    assert run(engine, client).read == 1
    assert [(D(row[4]), row[5]) for row in stored(engine)] == [(D(3), "0.3")]
    put(client, {"x_currency": "CAD"})
    with pytest.raises(CostModelError, match=r"ids \d+ and \d+ are the same .* in USD and CAD"):
        run(engine, client)


def test_pages_join_without_a_gap(
    engine: Engine, client: OdooClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days of several records, and records whose ids are not in the order of their days."""
    days = ["2026-09-03", "2026-09-01", "2026-09-02", "2026-09-01", "2026-09-03", "2026-09-01"]
    put(client, *({"x_day": day, "x_sku": f"sku_{number}"} for number, day in enumerate(days)))
    for page in (1, 2, 3, 5, 6, 7):
        monkeypatch.setattr(odoo_model, "PAGE", page)
        with engine.begin() as connection:
            connection.execute(sa.delete(provider_cost))
        assert run(engine, client).new == 6
        assert sorted(row[:2] for row in stored(engine)) == [
            (f"sku_{number}", day) for number, day in enumerate(days)
        ]


def test_a_link_is_read_by_its_name(engine: Engine, client: OdooClient) -> None:
    """And a model without services and accounts: all services share its costs."""
    (dollar,) = client.search_read("res.currency", [("name", "=", "USD")], ["id"])
    client.create(
        LINKED.name,
        [
            {"x_provider": "ovh", "x_sku": "rack", "x_day": "2026-09-01", "x_quantity": 1,
             "x_cost": "41.50", "x_currency_id": dollar["id"]}
        ],
    )  # fmt: skip
    run(engine, client, LINKED)
    (row,) = stored(engine)
    assert (*row[:4], D(row[4]), *row[5:]) == (
        "rack", "2026-09-01", None, None, D(1), "41.50", "USD",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"x_currency": "usd"}, r"id \d+, x_currency: 'usd' is not an ISO 4217 code"),
        ({"x_provider": False}, r"id \d+, x_provider: '' is empty"),
        ({"x_day": False}, r"id \d+: x_day is empty"),
        (
            {"x_service_code": False, "x_external_account_id": "a"},
            r"id \d+, x_service_code: '' is empty: an account is one of a service",
        ),
    ],
)
def test_a_record_that_is_no_cost_is_named_and_nothing_lands(
    engine: Engine, client: OdooClient, change: dict[str, Any], complaint: str
) -> None:
    put(client, {}, {"x_sku": "other"} | change)
    with pytest.raises(CostModelError, match=complaint):
        run(engine, client)
    assert stored(engine) == []


def test_costs_that_vanish_all_at_once_are_not_believed(engine: Engine, client: OdooClient) -> None:
    ids = put(client, *({"x_sku": f"sku_{number}"} for number in range(20)))
    run(engine, client)
    client.call(OWN.name, "unlink", ids[:11])
    with pytest.raises(MassDeletionError, match=r"shows 11 of 20 costs.*--accept-deletions"):
        run(engine, client)
    assert len(stored(engine)) == 20
    assert run(engine, client, accept_deletions=True).deleted == 11
    assert len(stored(engine)) == 9


def test_what_other_sources_told_is_left_alone(engine: Engine, client: OdooClient) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.insert(provider_cost).values(
                source="fusion_api", cost_key="k", provider="ovh", sku="rack", day=TODAY,
                quantity=1, amount=1, currency="CAD", file="costs.csv",
            )
        )  # fmt: skip
    put(client, {})
    run(engine, client)
    run(engine, client, full=True)
    with engine.connect() as connection:
        sources = connection.execute(sa.select(provider_cost.c.source)).scalars().all()
    assert sorted(sources) == ["fusion_api", "odoo"]
