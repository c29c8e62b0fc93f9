"""Whatever a file holds: it is named with its place, and nothing is half loaded unnoticed."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from app_billing_documents import (
    Json,
    empty,
    lago_credit_note,
    lago_fee,
    lago_invoice,
    lago_plan_fee,
    load_lago,
    load_stripe,
    said,
    stored_documents,
    stored_lines,
    stripe_before_basil,
    stripe_credit_note,
    stripe_invoice,
    stripe_line,
    stripe_refund,
    without_fees,
    write,
)
from sqlalchemy.engine import Engine

from ingest.app_billing.files import AppBillingFileError


@pytest.fixture(autouse=True)
def _empty(engine: Engine) -> None:
    empty(engine)


NUL, HUGE = "a\0b", 10**40


@pytest.mark.parametrize(
    ("fee", "reason"),
    [
        ({"amount_cents": "3"}, "Expected `int`, got `str` - at `$.amount_cents`"),
        ({"amount_cents": 3.5}, "Expected `int`, got `float` - at `$.amount_cents`"),
        ({"amount_cents": HUGE}, "10000000000000000000… (41 digits) is more than any amount"),
        ({"units": "NaN"}, "NaN is not a number"),
        ({"units": "-Infinity"}, "-Infinity is not a number"),
        ({"units": "1e99"}, "1E+99… has more digits than any quantity"),
        ({"precise_coupons_amount_cents": "sNaN"}, "sNaN is not a number"),
        ({"units": "many"}, "Invalid decimal string - at `$.units`"),
        ({"amount_currency": "dollar"}, "'dollar' is not an ISO 4217 currency"),
        ({"from_date": "2026-09-01T04:00:00"}, "2026-09-01T04:00:00 has no offset"),
        ({"from_date": "1 September"}, "Invalid RFC3339 encoded datetime - at `$.from_date`"),
        (
            {"to_date": "2026-08-01T03:59:59Z"},
            "its period ends (2026-08-01T04:00:00+00:00) before it begins",
        ),
        ({"to_date": "9999-12-31T23:59:59Z"}, "9999-12-31T23:59:59+00:00 has no second after it"),
        ({"lago_id": None}, "Expected `str`, got `null` - at `$.lago_id`"),
        ({"lago_id": ""}, "has no id"),
        ({"lago_id": "fee-0"}, "fee-0 stands twice"),
        ({"item": None}, "Expected `object`, got `null` - at `$.item`"),
    ],
)
def test_a_lago_fee_is_named_and_the_others_load(
    fee: Json, reason: str, engine: Engine, tmp_path: Path
) -> None:
    invoice = lago_invoice(lago_plan_fee(), lago_fee())
    invoice["fees"][1] |= fee
    report = load_lago(engine, write(tmp_path, {"invoices": [lago_invoice(lago_id="x"), invoice]}))
    assert said(report) == [f"export.json, invoice 2 (inv-1), fee 2: {reason}"]
    of_invoice = [row for row in stored_lines(engine) if row.external_invoice_id == "inv-1"]
    assert [row.external_line_id for row in of_invoice] == ["fee-0"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ({"quantity_decimal": "NaN"}, "NaN is not a number"),
        ({"currency": "dollar"}, "'dollar' is not an ISO 4217 currency"),
        ({"amount": -HUGE}, "-1000000000000000000… (42 digits) is more than any amount"),
        ({"period": {"start": HUGE, "end": HUGE}}, f"{HUGE} is no time in epoch seconds"),
        (
            {"period": {"start": 86400, "end": 0}},
            "its period ends (1970-01-01T00:00:00+00:00) before it begins",
        ),
        ({"period": None}, "Expected `object`, got `null` - at `$.period`"),
        ({"metadata": {"metric_code": 7}}, "Expected `str`, got `int` - at `$.metadata[...]`"),
        ({"id": "il_0"}, "il_0 stands twice"),
    ],
)
def test_a_stripe_line_is_named_and_the_others_load(
    line: Json, reason: str, engine: Engine, tmp_path: Path
) -> None:
    invoice = stripe_invoice(stripe_line(id="il_0"), stripe_line())
    invoice["lines"]["data"][1] |= line
    report = load_stripe(engine, write(tmp_path, {"object": "list", "data": [invoice]}))
    assert said(report) == [f"export.json, invoice 1 (in_1), line 2: {reason}"]
    assert [row.external_line_id for row in stored_lines(engine)] == ["il_0"]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (lago_invoice(lago_id=""), "an invoice without lago_id"),
        ({"status": "paid"}, "Object missing required field `lago_id`"),
        (lago_invoice(currency="$"), "'$' is not an ISO 4217 currency"),
        (lago_invoice(number=NUL), "holds a NUL character - at `$.number`"),
        (
            lago_invoice(lago_fee(description=NUL)),
            "holds a NUL character - at `$.fees[0].description`",
        ),
        (lago_invoice(**{NUL: 1}), "holds a NUL character - in a name at `$`"),
        (
            lago_invoice(taxes_amount_cents=HUGE),
            "10000000000000000000… (41 digits) is more than any amount",
        ),
        (lago_invoice(issuing_date="soon"), "Invalid RFC3339 encoded date - at `$.issuing_date`"),
        (
            lago_invoice(fees={"0": lago_fee()}),
            "Expected `array | null`, got `object` - at `$.fees`",
        ),
        (
            lago_invoice(updated_at="2026-10-01T06:00:00"),
            "2026-10-01T06:00:00 has no offset",
        ),
    ],
)
def test_a_head_that_cannot_be_read_loads_nothing_of_the_document(
    document: Json, reason: str, engine: Engine, tmp_path: Path
) -> None:
    other = lago_invoice(lago_id="inv-2")
    report = load_lago(engine, write(tmp_path, {"invoices": [document, other]}))
    assert said(report) == [f"export.json, invoice 1: {reason}"]
    assert [row.external_invoice_id for row in stored_documents(engine)] == ["inv-2"]
    assert {row.external_invoice_id for row in stored_lines(engine)} == {"inv-2"}


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("1e4000", "holds a number beyond 1000 digits - at `$.note`"),
        ("1e-4000", "holds a number beyond 1000 digits - at `$.note`"),
        ("0." + "1" * 2000, "holds a number beyond 1000 digits - at `$.note`"),
        ("1e99999999999999999999", "holds a number without end"),
        ("9" * 5000, "Integer value out of range - at `$[...]`"),
    ],
)
def test_numbers_that_no_database_holds(
    number: str, reason: str, engine: Engine, tmp_path: Path
) -> None:
    one, two = json.dumps(stripe_invoice(note="N")), json.dumps(stripe_invoice(id="in_2"))
    path = write(tmp_path, one.replace('"N"', number) + "\n" + two)
    assert said(load_stripe(engine, path)) == [f"export.json, line 1: {reason}"]
    assert [row.external_invoice_id for row in stored_documents(engine)] == ["in_2"]


def test_text_that_is_no_text(engine: Engine, tmp_path: Path) -> None:
    """Half a surrogate pair, bytes that are not UTF-8: each stays with its line of the file."""
    whole = [json.dumps(stripe_invoice(id=f"in_{n}", note="N")).encode() for n in range(3)]
    whole[0] = whole[0].replace(b'"N"', b'"\\ud800"')
    whole[1] = whole[1].replace(b'"N"', b'"\xff"')
    path = tmp_path / "export.json"
    path.write_bytes(b"\n".join([whole[2], *whole[:2]]))
    first, second = load_stripe(engine, path).problems
    assert (first.position, second.position) == ("line 2", "line 3")
    assert "broken JSON" in first.reason
    assert "utf-8" in second.reason
    assert [row.external_invoice_id for row in stored_documents(engine)] == ["in_2"]


def test_what_is_nested_too_deeply(engine: Engine, tmp_path: Path) -> None:
    deep = json.dumps(stripe_invoice(note="N")).replace('"N"', "[" * 5000 + "]" * 5000)
    path = write(tmp_path, json.dumps(stripe_invoice(id="in_2")) + "\n" + deep)
    assert said(load_stripe(engine, path)) == [
        "export.json, line 2: broken JSON: it is nested too deeply"
    ]
    assert len(stored_documents(engine)) == 1


# --- files --------------------------------------------------------------------------------------


def test_a_broken_line_and_a_cut_off_file_leave_the_rest(engine: Engine, tmp_path: Path) -> None:
    whole = json.dumps({"invoice": lago_invoice()})
    lines = write(tmp_path, f'{whole}\n{{"invoice": \n{whole}\n', "lago.jsonl")
    cut = write(tmp_path, json.dumps({"invoices": [lago_invoice()]}, indent=1)[:-9], "cut.json")
    nan = write(tmp_path, json.dumps({"invoices": [{"a": float("nan")}]}, indent=1), "nan.json")

    report = load_lago(engine, lines, cut, nan)

    assert [(p.file, p.position, p.reason[:21]) for p in report.problems] == [
        ("lago.jsonl", "line 2", "broken JSON: Input da"),
        ("cut.json", "whole file", "broken JSON: Input da"),
        ("nan.json", "whole file", "broken JSON on line 4"),
    ]
    assert len(stored_lines(engine)) == 2


def test_documents_one_after_the_other_are_read_up_to_the_broken_one(
    engine: Engine, tmp_path: Path
) -> None:
    """Pretty-printed, the second cut off by a lost connection."""
    one = json.dumps(stripe_invoice(), indent=1)
    path = write(tmp_path, f"{one}\n{one[:200]}")
    first_lines = one.count("\n") + 1
    assert said(load_stripe(engine, path)) == [
        f"export.json, document 2 (line {first_lines + 1}): broken JSON: from here on nothing is"
        " read"
    ]
    assert len(stored_documents(engine)) == 1


def test_of_pages_one_a_line_the_invoice_is_named_as_well(engine: Engine, tmp_path: Path) -> None:
    page = {"object": "list", "data": [stripe_invoice(), {"object": "invoice", "id": "in_2"}]}
    path = write(tmp_path, "\n".join([json.dumps(page)] * 2))
    assert [p.position for p in load_stripe(engine, path).problems] == [
        "line 1, invoice 2",
        "line 2, invoice 2",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "is empty, not a Lago invoice export"),
        ("number,amount\n1,2\n", "is not JSON, so not a Lago invoice export"),
        (
            '{"object": "list", "data": []}',
            'is not a Lago invoice export: it has none of "invoice", "invoices", "credit_note" and'
            ' "credit_notes". Nothing was loaded.',
        ),
        (
            "[1, 2]",
            "is not a Lago invoice export: Expected `object`, got `int`. Nothing was loaded.",
        ),
    ],
)
def test_a_file_that_is_no_lago_export_stops_everything(
    engine: Engine, tmp_path: Path, content: str, complaint: str
) -> None:
    good = write(tmp_path, {"invoice": lago_invoice()})
    with pytest.raises(AppBillingFileError) as caught:
        load_lago(engine, good, write(tmp_path, content, "other.json"))
    assert str(caught.value) == f"other.json: {complaint}"
    assert stored_lines(engine) == stored_documents(engine) == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (
            {"invoices": []},
            "is not a Stripe invoice export: Object missing required field `object`.",
        ),
        (
            {"object": "list", "data": [{"object": "charge", "id": "ch_1"}]},
            "is not a Stripe invoice export: it lists 'charge' objects, not invoices.",
        ),
        (
            {"object": "customer"},
            'is not a Stripe invoice export: its "object" is \'customer\', none of "list",'
            ' "invoice", "credit_note", "refund" and "event".',
        ),
    ],
)
def test_a_file_that_is_no_stripe_export_stops_everything(
    engine: Engine, tmp_path: Path, content: Json, complaint: str
) -> None:
    with pytest.raises(AppBillingFileError) as caught:
        load_stripe(engine, write(tmp_path, stripe_invoice()), write(tmp_path, content, "o.json"))
    assert str(caught.value) == f"o.json: {complaint} Nothing was loaded."
    assert stored_lines(engine) == []


def test_a_stranger_among_invoices_is_named(engine: Engine, tmp_path: Path) -> None:
    broken_event = {"object": "event", "data": None}
    found: list[Any] = [stripe_invoice(), {"object": "charge"}, stripe_refund(), None, broken_event]
    assert said(load_stripe(engine, write(tmp_path, found))) == [
        "export.json, charge 2: is a charge object, not an invoice, credit note or refund",
        "export.json, unknown 4: is an unknown object, not an invoice, credit note or refund",
        "export.json, event 5: is an event object, not an invoice, credit note or refund",
    ]
    assert len(stored_documents(engine)) == 2
    array = write(tmp_path, [{"invoice": lago_invoice()}, {"plan": {}}], "lago.json")
    assert said(load_lago(engine, array)) == [
        'lago.json, document 2: it has none of "invoice", "invoices", "credit_note" and'
        ' "credit_notes"'
    ]


def test_a_credit_note_without_items_says_what_to_fetch(engine: Engine, tmp_path: Path) -> None:
    note = lago_credit_note()
    del note["items"]
    (problem,) = said(load_lago(engine, write(tmp_path, {"credit_notes": [note]})))
    assert problem.endswith("fetch GET /api/v1/credit_notes/cn-1 and import it as well")


def test_a_list_alone_loads_nothing(engine: Engine, tmp_path: Path) -> None:
    listed = {"invoices": [without_fees(lago_invoice(lago_id=f"inv-{n}")) for n in range(3)]}
    assert len(load_lago(engine, write(tmp_path, listed)).problems) == 3
    assert stored_documents(engine) == []


def test_a_missing_file_is_named(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(AppBillingFileError, match=r"^gone\.json: No such file or directory$"):
        load_lago(engine, tmp_path / "gone.json")


# --- any value, anywhere ------------------------------------------------------------------------

_STRANGE: list[Any] = [
    *(None, True, 0, -1, 3.5, HUGE, -HUGE, "", "x", "NaN", "sNaN", "1e400", NUL, [], {}, [None]),
    *([{}], {"object": 1}, {"id": None}, "2026-13-01T00:00:00Z", 1e300, "Infinity", "\ud800"),
]


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = [path] if path else []
    for key, item in inner:
        nested = isinstance(item, dict | list)
        found += _places(item, (*path, key)) if nested else [(*path, key)]
    return found


def _put(document: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


_WHOLE: dict[str, list[Any]] = {
    "lago": [{"invoice": lago_invoice()}, {"credit_notes": [lago_credit_note()]}],
    "stripe": [
        {"object": "list", "data": [stripe_invoice()]},
        {"object": "event", "created": 1, "data": {"object": stripe_credit_note()}},
        {"object": "list", "url": "/v1/invoices/in_1/lines", "data": [stripe_line()]},
        stripe_before_basil(),
        stripe_refund(),
    ],
}


@pytest.mark.parametrize("source", ["lago", "stripe"])
def test_any_value_anywhere_is_a_problem_and_no_crash(
    source: str, engine: Engine, tmp_path: Path
) -> None:
    """Every field of every document in turn, by a value that does not belong there: what can be
    read loads, and PostgreSQL takes all of it."""
    load = {"lago": load_lago, "stripe": load_stripe}[source]
    lines: list[Any] = []
    for number, whole in enumerate(_WHOLE[source]):
        for path in _places(whole):
            document = json.loads(json.dumps(whole))
            _put(document, path, _STRANGE[(len(lines) + number) % len(_STRANGE)])
            lines.append(document)
    chance = random.Random(20261126)
    for whole in chance.choices(_WHOLE[source], k=400):
        document = json.loads(json.dumps(whole))
        _put(document, chance.choice(_places(whole)), chance.choice(_STRANGE))
        lines.append(document)
    path = write(tmp_path, "\n".join(json.dumps(line) for line in lines), "strange.jsonl")
    report = load(engine, path)
    assert len(report.problems) > 100
    assert report.documents.new + report.documents.changed > 10
    again = load(engine, path)
    assert (again.documents.new, again.documents.changed) == (0, 0)
