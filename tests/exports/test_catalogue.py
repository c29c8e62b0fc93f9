"""The catalogue as a file: what is refused and where, what it does to Odoo, and back again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import Engine

from exports.catalogue.applying import apply, read_odoo
from exports.catalogue.changes import propose
from exports.catalogue.model import Catalogue, Current
from exports.catalogue.reading import read_catalogue
from exports.catalogue.showing import as_file, in_force, read_mirror, rows_of, to_yaml
from ingest.odoo_mirror import MASTER, mirror
from odoo_gateway.bootstrap import bootstrap
from odoo_gateway.connect import connect
from odoo_gateway.errors import OdooTransientError
from odoo_gateway.odoorpc_client import OdooRpcClient
from sandbox.odoo.launch import running_double
from warehouse.reviewed_files import ReviewedFileError

METRICS = """\
metrics:
  - code: hours
    name: Hours
    aggregation_type: sum
    filters: [{key: region, values: [ca, us]}]
charges:
"""
STANDARD = """\
  - plan: cloud
    metric: hours
    name: Hours
    charge_model: standard
    properties: {amount: 0.10}
"""
GRADUATED = """\
  - plan: cloud
    metric: hours
    name: Hours
    charge_model: graduated
    properties:
      tiers:
"""


def catalogue(tmp_path: Path, text: str) -> Catalogue:
    path = tmp_path / "prices.yaml"
    path.write_text(text)
    return read_catalogue(path, currency="CAD")


def problems(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ReviewedFileError) as caught:
        catalogue(tmp_path, text)
    assert str(caught.value).splitlines() == [str(each) for each in caught.value.problems]
    return [str(each) for each in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics: [\n", "2: YAML: expected the node content, but found '<stream end>'"),
        ("# nothing\n", "1: YAML: the file is empty; it holds `metrics` and `charges`"),
        ("- a\n", "1: : must be a mapping of keys to values"),
        ("metrics: {}\n", "1: metrics: must be a list"),
        ("prices: []\n", "1: prices: is not known here; allowed: charges, metrics"),
        ("metrics: []\nmetrics: []\n", "2: metrics: stands here twice"),
        (
            "metrics:\n  - {code: a, name: A, aggregation_type: average}\n",
            "2: metrics[1].aggregation_type: 'average' is not one of sum, count, max, last, unique,"
            " weighted_sum, sum_agg, count_agg, max_agg, latest_agg, unique_count_agg,"
            " weighted_sum_agg",
        ),
        (
            "metrics:\n  - {code: a/b, name: A, aggregation_type: sum}\n",
            "2: metrics[1].code: 'a/b' must have no blanks and none of / : ~ ,",
        ),
        (
            "metrics:\n  - code: a\n    name: A\n    aggregation_type: max\n    recurring: true\n",
            "5: metrics[1].recurring: max cannot recur; these can: sum, unique, weighted_sum",
        ),
        (
            "metrics:\n  - code: a\n    name: A\n    aggregation_type: sum\n    recurring: maybe\n",
            "5: metrics[1].recurring: 'maybe' is neither true nor false",
        ),
        (
            "metrics:\n  - code: a\n    name: A\n    aggregation_type: sum\n"
            "    rounding_precision: 1.5\n",
            "5: metrics[1].rounding_precision: '1.5' is not a whole number",
        ),
        ("metrics:\n  - {code: a, name: A}\n", "2: metrics[1].aggregation_type: is missing"),
        (
            METRICS + STANDARD.replace("name: Hours", "code: minimum_commitment\n    name: Hours"),
            "9: charges[1].code: minimum_commitment is the name of a plan's minimum commitment",
        ),
        (
            METRICS + STANDARD + "    filters:\n"
            "      - {variant: true_up, values: {region: [ca]}, properties: {amount: 1}}\n",
            "13: charges[1].filters[1].variant: true_up is the name of a charge's minimum",
        ),
        (
            METRICS + STANDARD.replace("0.10", "'0,10'"),
            "11: charges[1].properties.amount: '0,10' is not a decimal number of 0 or more, such"
            " as 0.0023",
        ),
        (
            METRICS + STANDARD.replace("0.10", "-1"),
            "11: charges[1].properties.amount: '-1' is not a decimal number of 0 or more, such as"
            " 0.0023",
        ),
        (
            METRICS + STANDARD.replace("0.10", "1e-3"),
            "11: charges[1].properties.amount: '1e-3' is not a decimal number of 0 or more, such"
            " as 0.0023",
        ),
        (
            METRICS + STANDARD.replace("amount: 0.10", "amount: 0.10, rate: 2"),
            "11: charges[1].properties.rate: is not known here; allowed: amount",
        ),
        (
            METRICS + STANDARD.replace("{amount: 0.10}", "{}"),
            "11: charges[1].properties.amount: is missing",
        ),
        (
            METRICS + STANDARD.replace("standard", "tiered"),
            "10: charges[1].charge_model: 'tiered' is not one of standard, package, graduated,"
            " graduated_percentage, volume, percentage, dynamic, minimum_commitment",
        ),
        (
            METRICS + STANDARD + "    valid_from: 2026-13-01\n",
            "12: charges[1].valid_from: '2026-13-01' is not a day such as 2026-10-31",
        ),
        (
            METRICS + STANDARD + "    valid_from: 2026-10-01\n    valid_to: 2026-09-30\n",
            "13: charges[1].valid_to: 2026-09-30 lies before valid_from 2026-10-01",
        ),
        (
            METRICS + STANDARD + "    currency: USD\n",
            "12: charges[1].currency: 'USD' is not the company's CAD",
        ),
        (
            METRICS + GRADUATED + "        - {from_value: 1, per_unit_amount: 1}\n",
            "13: charges[1].properties.tiers[1].from_value: the first tier begins at 0",
        ),
        (
            METRICS + GRADUATED + "        - {from_value: 0, to_value: 9, per_unit_amount: 1}\n",
            "13: charges[1].properties.tiers[1].to_value: 9 leaves usage above it without a price:"
            " the last tier has none",
        ),
        (
            METRICS
            + GRADUATED
            + "        - {from_value: 0, to_value: 9, per_unit_amount: 1}\n"
            + "        - {from_value: 12, per_unit_amount: 1}\n",
            "14: charges[1].properties.tiers[2].from_value: 12 leaves a gap: the tier before ends"
            " at 9; allowed: 10",
        ),
        (
            METRICS
            + GRADUATED
            + "        - {from_value: 0, to_value: 9, per_unit_amount: 1}\n"
            + "        - {from_value: 8, per_unit_amount: 1}\n",
            "14: charges[1].properties.tiers[2].from_value: 8 overlaps the tier before, which ends"
            " at 9",
        ),
        (
            METRICS
            + GRADUATED
            + "        - {from_value: 0, per_unit_amount: 1}\n"
            + "        - {from_value: 10, per_unit_amount: 1}\n",
            "13: charges[1].properties.tiers[1].to_value: only the last tier is open: give the"
            " upper end, or put it last",
        ),
        (
            METRICS + GRADUATED.replace("      tiers:\n", "      tiers: []\n"),
            "12: charges[1].properties.tiers: is missing: a list of from_value, to_value and"
            " prices",
        ),
        (
            METRICS
            + "  - {plan: cloud, charge_model: minimum_commitment, name: M, min_amount: 9,"
            + " included: 5}\n",
            "7: charges[1].included: has no meaning in a minimum commitment",
        ),
        (
            METRICS + STANDARD + "    filters:\n      - {variant: us, properties: {amount: 1}}\n",
            "13: charges[1].filters[1].values: is missing: property and the values it accepts",
        ),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_field(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert problems(tmp_path, text) == [f"prices.yaml:{expected}"]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = METRICS + STANDARD.replace("0.10", "ten").replace("name: Hours", "title: Hours")
    assert problems(tmp_path, text) == [
        "prices.yaml:7: charges[1].name: is missing",
        "prices.yaml:9: charges[1].title: is not known here; allowed: charge_model, code, currency,"
        " filters, included, metric, min_amount, name, plan, pricing_group_keys, product,"
        " properties, prorated, valid_from, valid_to",
        "prices.yaml:11: charges[1].properties.amount: 'ten' is not a decimal number of 0 or more,"
        " such as 0.0023",
    ]


def test_a_tag_runs_nothing(tmp_path: Path) -> None:
    """YAML can name Python objects; here such a node is a wrong value."""
    text = 'metrics:\n  - !!python/object/apply:os.system ["exit 1"]\n'
    assert problems(tmp_path, text) == [
        "prices.yaml:2: metrics[1]: must be a mapping of keys to values"
    ]


# --- against Odoo


@pytest.fixture(scope="module")
def odoo() -> Iterator[OdooRpcClient]:
    with (
        tempfile.TemporaryDirectory(prefix="fusion-odoo-") as folder,
        running_double(Path(folder) / "odoo.db") as url,
    ):
        client = connect(url, "odoo", "admin", "admin")
        bootstrap(client)
        client.create(
            "product.product",
            [{"name": code, "type": "service", "default_code": code} for code in PRODUCTS],
        )
        yield client


COPIED = (
    "x_name", "x_code", "x_plan_code", "x_metric_id", "x_charge_model", "x_unit_price",
    "x_currency", "x_product_id",
)  # fmt: skip
PRODUCTS = ("cloud/hours", "cloud/minimum_commitment", "other/hours")


@pytest.fixture
def empty(odoo: OdooRpcClient) -> OdooRpcClient:
    """An Odoo without a catalogue."""
    for model in ("x_fc_charge", "x_fc_metric"):
        odoo.call(model, "unlink", [row["id"] for row in odoo.search_read(model, [], ["id"])])
    return odoo


def applied(odoo: OdooRpcClient, tmp_path: Path, text: str) -> list[tuple[str, str]]:
    """(action, key) of every change; and applying again changes nothing."""
    wanted = catalogue(tmp_path, text)
    proposal = propose(wanted, read_odoo(odoo))
    apply(odoo, proposal)
    assert propose(wanted, read_odoo(odoo)).changes == []
    return [(change.action, change.key) for change in proposal.changes]


def charges(odoo: OdooRpcClient, *fields: str) -> list[tuple[Any, ...]]:
    rows = odoo.search_read("x_fc_charge", [], fields, order="id")
    return [tuple(row[name] for name in fields) for row in rows]


def refused(odoo: OdooRpcClient, tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(ReviewedFileError) as caught:
        propose(catalogue(tmp_path, text), read_odoo(odoo))
    return [str(each) for each in caught.value.problems]


def test_a_new_price_is_a_new_version(empty: OdooRpcClient, tmp_path: Path) -> None:
    assert applied(empty, tmp_path, METRICS + STANDARD) == [
        ("new metric", "hours"),
        ("new charge", "cloud/hours"),
    ]
    dearer = STANDARD.replace("0.10", "0.12")
    october = dearer + "    valid_from: 2026-10-01\n"
    assert applied(empty, tmp_path, METRICS + october) == [
        ("ended", "cloud/hours"),
        ("new version", "cloud/hours"),
    ]
    assert charges(empty, "x_unit_price", "x_valid_from", "x_valid_to") == [
        ("0.1", False, "2026-09-30"),
        ("0.12", "2026-10-01", False),
    ]
    september = STANDARD.replace("0.10", "0.11") + "    valid_from: 2026-09-01\n"
    applied(empty, tmp_path, METRICS + september)
    assert charges(empty, "x_unit_price", "x_valid_from", "x_valid_to") == [
        ("0.1", False, "2026-08-31"),
        ("0.12", "2026-10-01", False),
        ("0.11", "2026-09-01", "2026-09-30"),
    ]
    corrected = october.replace("0.12", "0.13")
    assert applied(empty, tmp_path, METRICS + corrected) == [("corrected", "cloud/hours")]
    assert charges(empty, "x_unit_price") == [("0.1",), ("0.13",), ("0.11",)]


def test_versions_of_one_file_follow_each_other(empty: OdooRpcClient, tmp_path: Path) -> None:
    later = STANDARD.replace("0.10", "0.12") + "    valid_from: 2026-10-01\n"
    applied(empty, tmp_path, METRICS + later + STANDARD)
    assert charges(empty, "x_unit_price", "x_valid_from", "x_valid_to") == [
        ("0.12", "2026-10-01", False),
        ("0.1", False, "2026-09-30"),
    ]


def test_numbers_that_are_equal_change_nothing(empty: OdooRpcClient, tmp_path: Path) -> None:
    """People type 0.10 and 1000.0 into Odoo; a zero quota is none."""
    applied(empty, tmp_path, METRICS + STANDARD + "    included: 1000\n")
    ((number, *_),) = charges(empty, "id")
    empty.write("x_fc_charge", [number], {"x_unit_price": "0.100", "x_included": "1000.0"})
    assert applied(empty, tmp_path, METRICS + STANDARD + "    included: 1000\n") == []
    empty.write("x_fc_charge", [number], {"x_included": False, "x_min_amount": "0"})
    assert applied(empty, tmp_path, METRICS + STANDARD + "    included: 0\n") == []
    assert charges(empty, "x_unit_price") == [("0.100",)]


TIERED = (
    GRADUATED
    + """\
        - {from_value: 0, to_value: 100, per_unit_amount: 0.0045}
        - {from_value: 101, per_unit_amount: 0.003, flat_amount: 5}
    filters:
      - variant: us
        values: {region: [us]}
        name: Hours, United States
        included: 7
        properties:
          tiers:
            - {from_value: 0, per_unit_amount: 0.006}
"""
)


def test_tiers_and_filters(empty: OdooRpcClient, tmp_path: Path) -> None:
    extra = "    included: 3\n    pricing_group_keys: [zone, cell]\n    min_amount: 25.00\n"
    applied(empty, tmp_path, METRICS + TIERED + extra)
    fields = ("x_variant", "x_name", "x_included", "x_filter", "x_min_amount")
    assert charges(empty, *fields, "x_pricing_group_keys", "x_tier_ids")[0][:-1] == (
        (False, "Hours", "3", False, "25", "cell,zone")
    )
    assert charges(empty, *fields)[1] == (
        ("us", "Hours, United States", "7", '{"region": ["us"]}', False)
    )
    names = ("x_from", "x_to", "x_unit_price", "x_flat_amount")
    tiers = empty.search_read("x_fc_charge_tier", [], ["x_charge_id", *names])
    assert [tuple(tier[name] for name in names) for tier in tiers] == [
        ("0", "100", "0.0045", False),
        ("101", False, "0.003", "5"),
        ("0", False, "0.006", False),
    ]
    cheaper = (METRICS + TIERED + extra).replace("0.0045", "0.0044")
    assert applied(empty, tmp_path, cheaper) == [("corrected", "cloud/hours")]
    again = empty.search_read("x_fc_charge_tier", [], ["x_unit_price"])
    assert sorted(tier["x_unit_price"] for tier in again) == ["0.003", "0.0044", "0.006"]
    assert tiers[2]["id"] in [tier["id"] for tier in again], "the other variant's tier stays"


def test_a_variant_ends_with_the_version_that_has_it_not(
    empty: OdooRpcClient, tmp_path: Path
) -> None:
    applied(empty, tmp_path, METRICS + TIERED)
    assert applied(empty, tmp_path, METRICS + STANDARD + "    valid_from: 2026-10-01\n") == [
        ("ended", "cloud/hours"),
        ("ended", "cloud/hours/us"),
        ("new version", "cloud/hours"),
    ]
    assert charges(empty, "x_variant", "x_charge_model", "x_valid_to") == [
        (False, "graduated", "2026-09-30"),
        ("us", "graduated", "2026-09-30"),
        (False, "standard", False),
    ]


def test_what_the_file_does_not_name_stays(empty: OdooRpcClient, tmp_path: Path) -> None:
    applied(empty, tmp_path, METRICS + STANDARD)
    other = STANDARD.replace("plan: cloud", "plan: other").replace("0.10", "0.20")
    assert applied(empty, tmp_path, "charges:\n" + other) == [("new charge", "other/hours")]
    assert charges(empty, "x_plan_code", "x_unit_price") == [("cloud", "0.1"), ("other", "0.2")]
    # Not even versions that somebody let overlap in Odoo: the build's tests say so, people mend it.
    (cloud, *_), _other = charges(empty, "id", "x_plan_code")
    copied = empty.search_read("x_fc_charge", [("id", "=", cloud)], COPIED)[0]
    del copied["id"]
    empty.create("x_fc_charge", [{**copied, "x_valid_from": "2026-10-01"}])
    assert applied(empty, tmp_path, "charges:\n" + other) == []


def test_a_minimum_commitment_has_no_metric(empty: OdooRpcClient, tmp_path: Path) -> None:
    text = (
        "charges:\n  - {plan: cloud, charge_model: minimum_commitment, name: M, min_amount: 99}\n"
    )
    assert applied(empty, tmp_path, text) == [("new charge", "cloud/minimum_commitment")]
    assert charges(empty, "x_code", "x_metric_id", "x_min_amount") == [
        ("minimum_commitment", False, "99")
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "charges:\n" + STANDARD.replace("metric: hours", "metric: days"),
            "3: charges[1].metric: 'days' is neither in this file nor in Odoo; allowed: hours",
        ),
        (
            "charges:\n" + STANDARD + "    product: cloud/days\n",
            "7: charges[1].product: no active product in Odoo has the internal reference"
            " 'cloud/days': make it there (a service, invoiced by delivered quantities, not"
            " recurring)",
        ),
        (
            "charges:\n" + STANDARD + "    prorated: true\n",
            "7: charges[1].prorated: hours does not recur: only recurring metrics are prorated",
        ),
        (
            METRICS + TIERED.replace("[us]", "[fr]"),
            "17: charges[1].filters[1].values.region: 'fr' is no value of hours; allowed: ca, us,"
            " __ALL_FILTER_VALUES__",
        ),
        (
            METRICS + TIERED.replace("region: [us]", "zone: [us]"),
            "17: charges[1].filters[1].values.zone: hours knows no such property; allowed: region",
        ),
        (
            METRICS + STANDARD + STANDARD,
            "12: charges[2].valid_from: this version comes twice",
        ),
        (
            METRICS
            + STANDARD
            + "    valid_to: 2026-10-15\n"
            + STANDARD
            + "    valid_from: 2026-10-01\n",
            "12: charges[1].valid_to: 2026-10-15 overlaps the version of 2026-10-01",
        ),
        (
            METRICS + STANDARD + "    code: more_hours\n    product: cloud/hours\n",
            "8: charges[1].metric: cloud already charges hours as 'hours': a counter would be"
            " billed twice",
        ),
    ],
)
def test_a_file_that_does_not_go_with_odoo_is_refused(
    empty: OdooRpcClient, tmp_path: Path, text: str, expected: str
) -> None:
    applied(empty, tmp_path, METRICS + STANDARD)
    before = charges(empty, "id", "write_date")
    assert refused(empty, tmp_path, text) == [f"prices.yaml:{expected}"]
    assert charges(empty, "id", "write_date") == before


def test_an_apply_that_breaks_off_is_finished_by_the_next(
    empty: OdooRpcClient, tmp_path: Path
) -> None:
    """The new version stands, the old one is not ended yet: no day was ever without a price."""
    applied(empty, tmp_path, METRICS + STANDARD)
    text = METRICS + STANDARD.replace("0.10", "0.12") + "    valid_from: 2026-10-01\n"

    class Breaking(OdooRpcClient):
        def write(self, *args: Any, **kwargs: Any) -> None:
            raise OdooTransientError("the connection to Odoo was lost")

    proposal = propose(catalogue(tmp_path, text), read_odoo(empty))
    with pytest.raises(OdooTransientError):
        apply(Breaking(empty._odoo), proposal)
    assert charges(empty, "x_valid_from", "x_valid_to") == [(False, False), ("2026-10-01", False)]
    assert applied(empty, tmp_path, text) == [("ended", "cloud/hours")]


ALL_MODELS = """\
metrics:
  - {code: hours, name: Hours, aggregation_type: weighted_sum_agg, recurring: true, unit: h,
     rounding_function: ceil, rounding_precision: -2, field_name: value}
charges:
  - plan: cloud
    metric: hours
    name: Hours
    charge_model: package
    prorated: true
    properties: {amount: 1.50, package_size: 100, free_units: 10}
    valid_to: 2026-09-30
  - plan: cloud
    metric: hours
    name: Hours
    charge_model: percentage
    valid_from: 2026-10-01
    properties: {rate: 1.25, fixed_amount: 0.30, free_units_per_events: 3,
                 free_units_per_total_aggregation: 50, per_transaction_min_amount: 0.05,
                 per_transaction_max_amount: 12}
  - plan: cloud
    name: Commitment
    charge_model: minimum_commitment
    min_amount: 99.5
  - plan: other
    metric: hours
    name: Hours
    charge_model: graduated_percentage
    properties:
      tiers:
        - {from_value: 0, to_value: 1000, rate: 0}
        - {from_value: 1000, rate: 1.5, flat_amount: 3}
"""


def test_what_is_shown_can_be_applied_again(
    engine: Engine, empty: OdooRpcClient, tmp_path: Path
) -> None:
    """From the file to Odoo, through the mirror, to the file: nothing is lost on the way."""
    applied(empty, tmp_path, ALL_MODELS)
    mirror(engine, empty, MASTER, accept_deletions=True)
    for day in (date(2026, 9, 30), date(2026, 10, 1)):
        mirrored = read_mirror(engine)
        text = to_yaml(as_file(mirrored, in_force(mirrored, day)))
        again = catalogue(tmp_path, text)
        assert len(again.charges) == 3
        proposal = propose(again, _only(read_odoo(empty), day))
        assert [(change.action, change.key) for change in proposal.changes] == []
    rows = {row["charge"]: row for row in rows_of(in_force(mirrored, date(2026, 10, 1)))}
    assert rows["cloud/hours"]["price"] == (
        "rate 1.25, fixed_amount 0.3, free_units_per_events 3,"
        " free_units_per_total_aggregation 50, per_transaction_min_amount 0.05,"
        " per_transaction_max_amount 12"
    )
    assert rows["other/hours"]["price"] == "to 1000: rate 0, above: rate 1.5 + flat_amount 3"
    assert rows["cloud/minimum_commitment"]["price"] == "at least 99.5"
    assert [row["charge"] for row in rows_of(in_force(mirrored, date(2026, 9, 30), "cloud"))] == [
        "cloud/hours",
        "cloud/minimum_commitment",
    ]


def _only(current: Current, day: date) -> Current:
    return replace(current, versions=in_force(current, day))


def test_a_charge_goes_to_the_active_one_of_two_products(
    empty: OdooRpcClient, tmp_path: Path
) -> None:
    """An archived twin, made later, took the charge; a charge that lies on one is corrected; two
    active ones are refused."""
    (active,) = empty.search_read("product.product", [("default_code", "=", "cloud/hours")], ["id"])
    twin = {"name": "Twin", "type": "service", "default_code": "cloud/hours"}
    (archived,) = empty.create("product.product", [{**twin, "active": False}])
    applied(empty, tmp_path, METRICS + STANDARD)
    ((charge, product),) = charges(empty, "id", "x_product_id")
    assert product == active["id"]
    empty.write("x_fc_charge", [charge], {"x_product_id": archived})
    assert applied(empty, tmp_path, METRICS + STANDARD) == [("corrected", "cloud/hours")]
    assert charges(empty, "x_product_id") == [(active["id"],)]
    empty.write("product.product", [archived], {"active": True})
    assert refused(empty, tmp_path, METRICS + STANDARD) == [
        "prices.yaml:7: charges[1].product: 'cloud/hours' is the internal reference of more than"
        f" one active product in Odoo ({active['id']}, {archived}): archive all but one, or give"
        " them others"
    ]
    empty.write("product.product", [archived], {"active": False})
