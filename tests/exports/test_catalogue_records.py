"""What finance types into Odoo's text fields: read, or named with record, field and next step."""

from __future__ import annotations

from typing import Any

import pytest

from exports.catalogue.model import Current
from exports.catalogue.records import UnreadableCatalogueError, current_of

METRIC = {"id": 3, "x_code": "hours", "x_name": "Hours", "x_aggregation": "sum"}
CHARGE = {
    "id": 7,
    "x_name": "Hours",
    "x_code": "hours",
    "x_plan_code": "cloud",
    "x_metric_id": 3,
    "x_product_id": 9,
    "x_charge_model": "standard",
    "x_currency": "CAD",
}
TIER = {"id": 11, "x_charge_id": 7, "x_from": "0"}
PRODUCT = {"id": 9, "default_code": "cloud/hours", "active": True}


def current(
    metric: dict[str, Any] | None = None,
    charge: dict[str, Any] | None = None,
    tier: dict[str, Any] | None = None,
    products: list[dict[str, Any]] | None = None,
) -> Current:
    return current_of(
        [METRIC | (metric or {})],
        [CHARGE | (charge or {})],
        [TIER | (tier or {})],
        products or [PRODUCT],
    )


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("0.05", "0.05"),
        (" 0.050 ", "0.05"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-1", "-1"),
        ("1e-3", "0.001"),
        ("", None),
        (False, None),
    ],
)
def test_a_number_is_read_however_it_is_typed(typed: object, read: str | None) -> None:
    (version,) = current(charge={"x_unit_price": typed}).versions
    assert version.form["x_unit_price"] == read


@pytest.mark.parametrize(
    "typed", ["0,05", "$0.05", "1 000", "1_000", "NaN", "Infinity", "1e999", "٣", "free", " "]
)
def test_a_number_that_cannot_be_read_is_named(typed: str) -> None:
    """'0,05' was a traceback of `catalog show`."""
    with pytest.raises(UnreadableCatalogueError) as caught:
        current(charge={"x_unit_price": typed})
    assert str(caught.value).splitlines() == [
        f"Usage charge 7 (cloud/hours): Unit price (x_unit_price): {typed!r} is not a decimal"
        " number such as 0.0023",
        "Mend it in Odoo (Usage billing), then run `fusion-billing odoo mirror`.",
    ]


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ('{"region": ["ca", "us"]}', '{"region": ["ca", "us"]}'),
        (' { "b" : [ "\\u00e9" ] ,\n"a":["x"]} ', '{"a": ["x"], "b": ["é"]}'),
        ('{"a\\"b": ["\\\\"]}', '{"a\\"b": ["\\\\"]}'),
        ("{}", None),
        (False, None),
    ],
)
def test_a_filter_is_read(typed: object, read: str | None) -> None:
    found = current(metric={"x_metric_filters": typed}, charge={"x_filter": typed})
    assert found.versions[0].form["x_filter"] == read
    assert found.metrics["hours"][1]["x_metric_filters"] == read


@pytest.mark.parametrize(
    "typed",
    [
        "region: ca",
        '{"region": 5}',
        '{"region": "ca"}',  # was read as c and a
        '{"region": []}',
        '{"region": ["ca", 5]}',
        '{"region": ["ca"],}',
        "{'region': ['ca']}",
        '["region"]',
        '{"region": ["\\u0000"]}',  # PostgreSQL holds no such text
        '{"region": ["a\tb"]}',
        "[" * 100_000,
    ],
)
def test_a_filter_that_cannot_be_read_is_named(typed: str) -> None:
    with pytest.raises(UnreadableCatalogueError) as caught:
        current(metric={"x_metric_filters": typed}, charge={"x_filter": typed})
    assert [(each.record, each.field) for each in caught.value.problems] == [
        ("Usage charge 7 (cloud/hours)", "Filter (x_filter)"),
        ("Usage metric 3 (hours)", "Filter values (x_metric_filters)"),
    ]
    assert caught.value.problems[0].message.endswith(
        'is not JSON such as {"region": ["ca", "us"]}: property to a list of texts'
    )


def test_all_that_cannot_be_read_is_told_at_once() -> None:
    with pytest.raises(UnreadableCatalogueError) as caught:
        current(
            metric={"x_rounding_precision": "1.5"},
            charge={"x_included": "1'000", "x_min_amount": "none"},
            tier={"x_from": "zero", "x_rate": "2%"},
        )
    assert [(each.record, each.field.split("(")[1]) for each in caught.value.problems] == [
        ("Usage charge 7 (cloud/hours)", "x_included)"),
        ("Usage charge 7 (cloud/hours)", "x_min_amount)"),
        ("Usage charge tier 11 (of cloud/hours)", "x_from)"),
        ("Usage charge tier 11 (of cloud/hours)", "x_rate)"),
        ("Usage metric 3 (hours)", "x_rounding_precision)"),
    ]


def test_an_archived_product_stands_for_no_code() -> None:
    """The greater id won: a new charge got an archived product, and the push refused its lines."""
    archived = PRODUCT | {"id": 10, "active": False}
    found = current(charge={"x_product_id": 10}, products=[PRODUCT, archived])
    assert (found.products, found.twins) == ({"cloud/hours": 9}, {})
    assert found.versions[0].product_code == "cloud/hours (archived)"


def test_two_active_products_of_one_code_are_told_apart_from_none() -> None:
    found = current(products=[PRODUCT, PRODUCT | {"id": 10}])
    assert (found.products, found.twins) == ({}, {"cloud/hours": [9, 10]})
    assert found.versions[0].product_code == "cloud/hours"
