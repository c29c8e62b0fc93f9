"""What a field is, and how Odoo coerces what a client sends for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.odoo.errors import WrongValue

Row = dict[str, Any]
X2MANY = frozenset({"one2many", "many2many"})
NUMBERS = frozenset({"float", "monetary", "integer"})


@dataclass(frozen=True)
class Field:
    """`related` reads and writes through a many2one; `inverse` is a one2many's many2one;
    `compute` gives a value that is not stored. `digits` names the decimal.precision that values
    are rounded to, `shown_digits` the one that screens show at least. `on_delete` is what a
    many2one does when its record goes: restrict, cascade or set null."""

    type: str = "char"
    label: str = ""
    relation: str | None = None
    required: bool = False
    default: Any = None
    digits: str | None = None
    shown_digits: str | None = None
    selection: tuple[tuple[str, str], ...] = ()
    related: tuple[str, str] | None = None
    inverse: str | None = None
    on_delete: str | None = None
    compute: Callable[..., Any] | None = None

    @property
    def stored(self) -> bool:
        return not (self.related or self.compute or self.inverse)

    @property
    def indexed(self) -> bool:
        return self.stored and (self.type == "many2one" or self.type == "many2many")


Model = Mapping[str, Field]


def half_up(value: Decimal, digits: int) -> Decimal:
    """Rounded half away from zero, as Odoo rounds."""
    return value.quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)


def exact(value: Any) -> Decimal:
    """The shortest decimal that reads back as this number."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value or 0)


def empty(field: Field) -> Any:
    if field.type in X2MANY:
        return []
    if field.type in ("float", "monetary"):
        return 0.0
    return 0 if field.type in ("integer", "many2one_reference") else False


def coerced(model: str, name: str, field: Field, value: Any, precision: int | None) -> Any:
    """`value` as Odoo would store it; WrongValue where Odoo raises ValueError."""
    if value is None or value is False:
        return empty(field)
    match field.type:
        case "float" | "monetary":
            number = _number(value)
            digits = 2 if field.type == "monetary" else precision
            return number if digits is None else float(half_up(exact(number), digits))
        case "integer" | "many2one" | "many2one_reference":
            return int(_number(value))
        case "boolean":
            return bool(value)
        case "date":
            return _date(value)
        case "datetime":
            return _datetime(value)
        case "selection":
            if field.selection and value not in [key for key, _label in field.selection]:
                raise WrongValue(f"Wrong value for {model}.{name}: {value!r}")
            return str(value)
        case _:
            return str(value)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise WrongValue(f"could not convert string to float: {value!r}") from None


def _date(value: Any) -> str:
    try:
        return date.fromisoformat(str(value)[:10]).isoformat()
    except ValueError:
        raise WrongValue(f"time data {str(value)!r} does not match format '%Y-%m-%d'") from None


def _datetime(value: Any) -> str:
    try:
        return datetime.fromisoformat(str(value)).strftime("%Y-%m-%d %H:%M:%S")
    except ValueError:
        raise WrongValue(
            f"time data {str(value)!r} does not match format '%Y-%m-%d %H:%M:%S'"
        ) from None
