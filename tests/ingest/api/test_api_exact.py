"""Numbers and instants, as sent and as kept."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ingest.api import exact


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (7, "7"),
        ("7.50", "7.50"),
        (Decimal("0.10"), "0.10"),
        ("-3", "-3"),
        ("1e3", "1E+3"),
        (10**38 - 1, "9" * 38),
        ("0." + "1" * 38, "0." + "1" * 38),
        ("1234567890123456789.0123456789012345678", "1234567890123456789.0123456789012345678"),
    ],
)
def test_a_number_is_kept_digit_for_digit(sent: object, kept: str) -> None:
    assert str(exact.number(sent)) == kept


@pytest.mark.parametrize(
    "sent",
    [
        None, True, "", " 1", "1_000", "+1", ".5", "5.", "1,5", "0x10", "NaN", "Infinity", "-inf",
        "1e400", "1e99999", "١٢", 10**38, "1" * 39, "0." + "1" * 39, Decimal("1E+400"), [], {},
        "1\n",
    ],
)  # fmt: skip
def test_what_is_no_exact_number_is_refused(sent: object) -> None:
    assert exact.number(sent) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [("1.50", "1.5"), ("100", "100"), ("1E+2", "100"), ("-0.0", "0"), ("0.000", "0"),
     ("12345678901234567890123456789012345.120", "12345678901234567890123456789012345.12")],
)  # fmt: skip
def test_equal_numbers_have_one_spelling(value: str, text: str) -> None:
    assert exact.plain(Decimal(value)) == text


@pytest.mark.parametrize(
    "sent",
    [1_700_000_000, Decimal("1700000000.0"), "1700000000", "2023-11-14T22:13:20Z",
     "2023-11-14T17:13:20-05:00", "2023-11-14T22:13:20.000000+00:00"],
)  # fmt: skip
def test_one_instant_in_all_its_forms(sent: object) -> None:
    assert exact.instant(sent) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    "sent",
    ["2023-11-14T22:13:20", "2023-11-14", "yesterday", "2023-02-30T00:00:00Z", -1, "-1", True,
     10**15, "1969-12-31T00:00:00Z", "0001-01-01T00:00:00+14:00", "2023-11-14 22:13:20 UTC",
     "1" * 200],
)  # fmt: skip
def test_an_instant_without_offset_or_sense_is_refused(sent: object) -> None:
    assert exact.instant(sent) is None


def test_epoch_seconds_keep_their_microseconds() -> None:
    """A float would make .1 seconds .099999."""
    moment = exact.epoch_instant("1780586634.123456")
    assert moment == datetime(2026, 6, 4, 15, 23, 54, 123456, tzinfo=UTC)
    assert exact.iso_milliseconds(datetime(2026, 6, 4, 15, 23, 54, 100000, tzinfo=UTC)) == (
        "2026-06-04T15:23:54.100Z"
    )


@pytest.mark.parametrize(
    "text",
    ["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00 00:00", "1767225600",
     "2025-12-31T19:00:00-05:00"],
)  # fmt: skip
def test_a_filter_takes_dates_and_unescaped_offsets(text: str) -> None:
    assert exact.filter_instant(text) == datetime(2026, 1, 1, tzinfo=UTC)
