"""The fields of what an app asks for (a customer, a subscription), judged one by one."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import available_timezones

from ingest.api.problems import FORMAT, INVALID, MANDATORY, Details, invalid
from ingest.api.properties import read_properties
from ingest.api.rows import LONGEST_IDENTIFIER

LONGEST_TEXT = 255
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_EMAIL = re.compile(r"[^\s@\\]+@[^\s@\\]+\.[^\s@\\]+")
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_ZONES = available_timezones()
_LONGEST_INSTANT = 100
_EARLIEST, _LATEST = date(1970, 1, 1), date(9000, 1, 1)


class Asked:
    """What was asked, field by field: `values` in their one spelling, `errors` by field.

    Null and an empty text are not given, and not kept. Nothing is raised before `checked`.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.errors: Details = {}

    def checked(self) -> dict[str, Any]:
        """The values. Raises ProblemError 422 with the codes of every bad field."""
        if self.errors:
            raise invalid(self.errors)
        return self.values

    def identifier(self, field: str, value: object) -> str:
        """A mandatory id, 1 to 255 characters; an integer counts as its text, as in Lago."""
        if type(value) is int and -(10**38) < value < 10**38:
            value = str(value)
        if value is None or (isinstance(value, str) and not value.strip()):
            self.errors[field] = [MANDATORY]
            return ""
        if not _is_text(value, LONGEST_IDENTIFIER):
            self.errors[field] = [INVALID]
            return ""
        self.values[field] = value
        return str(value)

    def code(self, field: str, value: object) -> None:
        """A mandatory code: as an id, but text only."""
        if type(value) is int:
            self.errors[field] = [INVALID]
        else:
            self.identifier(field, value)

    def text(self, field: str, value: object, longest: int = LONGEST_TEXT) -> None:
        """Free text without NUL characters."""
        if value is None or value == "":
            return
        if _is_text(value, longest):
            self.values[field] = value
        else:
            self.errors[field] = [INVALID]

    def email(self, field: str, value: object) -> None:
        """One address."""
        self._matching(field, value, _EMAIL, FORMAT)

    def country(self, field: str, value: object) -> None:
        """Two capital letters of ISO 3166; Odoo knows which of them are countries."""
        self._matching(field, value, _COUNTRY, INVALID)

    def _matching(self, field: str, value: object, form: re.Pattern[str], code: str) -> None:
        self.text(field, value)
        if field in self.values and not form.fullmatch(self.values[field]):
            del self.values[field]
            self.errors[field] = [code]

    def time_zone(self, field: str, value: object) -> None:
        """A name of the IANA database."""
        self.choice(field, value, _ZONES)

    def choice(self, field: str, value: object, choices: Collection[str]) -> None:
        """One of these texts."""
        if value is None or value == "":
            return
        if isinstance(value, str) and value in choices:
            self.values[field] = value
        else:
            self.errors[field] = [INVALID]

    def whole(self, field: str, value: object, most: int) -> None:
        """A whole number from 0 to `most`."""
        if value is None:
            return
        if type(value) is int and 0 <= value <= most:
            self.values[field] = value
        else:
            self.errors[field] = [INVALID]

    def flag(self, field: str, value: object) -> None:
        """True or false."""
        if value is None:
            return
        if isinstance(value, bool):
            self.values[field] = value
        else:
            self.errors[field] = [INVALID]

    def free(self, field: str, value: object, kind: type[dict[str, Any]] | type[list[Any]]) -> None:
        """JSON that is kept as sent: an object or a list, at most 64 KiB and 31 levels."""
        if value is None:
            return
        if isinstance(value, kind) and read_properties({field: value}) is not None:
            self.values[field] = value
        else:
            self.errors[field] = [INVALID]

    def moment(self, field: str, value: object) -> None:
        """An ISO-8601 date, kept as such, or date-time (UTC where it names no offset), in UTC."""
        if value is None or value == "":
            return
        text = _moment(value)
        if text is None:
            self.errors[field] = [FORMAT]
        else:
            self.values[field] = text


def is_before(moment: str, other: str) -> bool:
    """Whether a moment lies before another; by their days in UTC where one of them is a date."""
    if _DATE.fullmatch(moment) or _DATE.fullmatch(other):
        return moment[:10] < other[:10]
    return datetime.fromisoformat(moment) < datetime.fromisoformat(other)


def _is_text(value: object, longest: int) -> bool:
    return isinstance(value, str) and len(value) <= longest and "\x00" not in value


def _moment(value: object) -> str | None:
    if not isinstance(value, str) or len(value) > _LONGEST_INSTANT:
        return None
    try:
        if _DATE.fullmatch(value):
            day = date.fromisoformat(value)
            return value if _EARLIEST <= day < _LATEST else None
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.isoformat() if _EARLIEST < moment.date() < _LATEST else None
