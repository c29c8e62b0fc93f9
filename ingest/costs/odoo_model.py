"""fusion_api's model of daily costs in Odoo: which field is what, and its records as costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import groupby

from ingest.costs.rows import COLUMNS, CostRow, UnfitCostError, cost_row
from odoo_gateway.client import Domain, OdooClient, Record
from odoo_gateway.errors import OdooRefusedError

PAGE = 2000  # odoo.md: 0.04 ms a row against 0.21 at 500
_OF_A_DOUBLE = 12  # decimals: what a double says beyond them is its own
_TEXTS = ("char", "text", "selection", "many2one")
_NUMBERS = ("float", "monetary", "integer", "char")
_ALLOWED = dict.fromkeys(COLUMNS, _TEXTS) | {
    "day": ("date",),
    "quantity": _NUMBERS,
    "amount": _NUMBERS,
}
_OF_EVERY_MODEL = frozenset(
    {"id", "create_date", "create_uid", "display_name", "write_date", "write_uid"}
)


class CostModelError(Exception):
    """Odoo's model of costs cannot be read as such. One line: which setting or record, why."""


class MissingCostModelError(CostModelError):
    """Odoo has no model of that name, or this user may not read it."""


@dataclass(frozen=True)
class CostModel:
    """FUSION_API_MODEL, and its field for each of COLUMNS; '' where it has none."""

    name: str
    fields: Mapping[str, str]


def links_of(client: OdooClient, model: CostModel) -> dict[str, str]:
    """The fields that name another record, with its model.

    Raises CostModelError where a field is missing or cannot hold what it should.
    """
    try:
        known = client.fields_get(model.name)
    except OdooRefusedError as error:
        raise MissingCostModelError(
            f"Odoo has no model {model.name} that this user may read ({error})."
            " Set FUSION_API_MODEL to the model of fusion_api's daily costs, or load its files:"
            " `fusion-billing import costs FILE`."
        ) from None
    used = {name: field for name, field in model.fields.items() if field}
    missing = [field for field in used.values() if field not in known]
    if missing:
        raise CostModelError(
            f"Odoo's {model.name} has no {', '.join(missing)}: say in FUSION_API_FIELDS which field"
            " is which, as in amount=x_cost. It has "
            + ", ".join(sorted(field for field in known if field not in _OF_EVERY_MODEL))
        )
    for name, field in used.items():
        allowed = _ALLOWED[name]
        if known[field]["type"] not in allowed:
            raise CostModelError(
                f"Odoo's {model.name}.{field} is {known[field]['type']}, and {name} must be"
                f" {' or '.join(allowed)}: name another field in FUSION_API_FIELDS."
            )
    return {
        field: known[field]["relation"]
        for field in used.values()
        if known[field]["type"] == "many2one"
    }


def rewritten_days(client: OdooClient, model: CostModel, since: date) -> list[str]:
    """Days before `since` of which something was written after it."""
    day = model.fields["day"]
    found: set[str] = set()
    after = 0
    while True:
        domain = [
            (day, "<", since.isoformat()),
            ("write_date", ">=", f"{since} 00:00:00"),
            ("id", ">", after),
        ]
        page = client.search_read(model.name, domain, [day], order="id", limit=PAGE)
        found.update(record[day] for record in page)
        if len(page) < PAGE:
            return sorted(found)
        after = page[-1]["id"]


def refuse_no_day(client: OdooClient, model: CostModel) -> None:
    """A cost without a day stands in none of those that are read. Raises CostModelError."""
    day = model.fields["day"]
    lost = client.search_read(model.name, [(day, "=", False)], ["id"], limit=1)
    if lost:
        raise CostModelError(f"Odoo's {model.name}, id {lost[0]['id']}: {day} is empty")


def read_costs(
    client: OdooClient,
    model: CostModel,
    links: Mapping[str, str],
    since: date | None,
    days: Sequence[str],
) -> Iterator[CostRow]:
    """The costs of all days from `since` on (null: of all) and of `days`, one a key.

    A day is held in memory, never the whole. Raises CostModelError for a record that is no cost.
    """
    day = model.fields["day"]
    read: Domain = []
    if since is not None:
        read = ["|", (day, ">=", since.isoformat()), (day, "in", list(days))]
    for _, records in groupby(_records(client, model, links, read), key=lambda each: each[day]):
        costs: dict[str, tuple[int, CostRow]] = {}
        for record in records:
            row = _row(model, record)
            number, known = costs.get(row.cost_key, (record["id"], None))
            if known is not None and known.currency != row.currency:
                raise CostModelError(
                    f"Odoo's {model.name}: ids {number} and {record['id']} are the same provider,"
                    f" sku, day, service and account in {known.currency} and {row.currency}"
                )
            costs[row.cost_key] = (number, row if known is None else _sum(known, row))
        yield from (row for _, row in costs.values())


def _sum(one: CostRow, other: CostRow) -> CostRow:
    """fusion_api may keep a record for each of its own keys: a day's cost is all of them."""
    return replace(one, quantity=one.quantity + other.quantity, amount=one.amount + other.amount)


def _records(
    client: OdooClient, model: CostModel, links: Mapping[str, str], read: Domain
) -> Iterator[Record]:
    """By day and id, linked records by their names."""
    day = model.fields["day"]
    fields = sorted({field for field in model.fields.values() if field})
    names: dict[tuple[str, int], str] = {}
    after: Domain = [(day, "!=", False)]
    while True:
        page = client.search_read(
            model.name, [*read, *after], fields, order=f"{day}, id", limit=PAGE
        )
        _look_up(client, links, page, names)
        for record in page:
            yield record | {
                field: names.get((field, record[field]), "") for field in links if record[field]
            }
        if len(page) < PAGE:
            return
        last = page[-1]
        after = ["|", (day, ">", last[day]), "&", (day, "=", last[day]), ("id", ">", last["id"])]


def _look_up(
    client: OdooClient,
    links: Mapping[str, str],
    page: Sequence[Record],
    names: dict[tuple[str, int], str],
) -> None:
    for field, relation in links.items():
        wanted = {record[field] for record in page if record[field]}
        unknown = sorted(number for number in wanted if (field, number) not in names)
        if unknown:
            found = client.search_read(relation, [("id", "in", unknown)], ["display_name"])
            names.update({(field, each["id"]): str(each["display_name"]) for each in found})


def _row(model: CostModel, record: Record) -> CostRow:
    values = {name: _text(record[field]) if field else "" for name, field in model.fields.items()}
    try:
        return cost_row(values)
    except UnfitCostError as error:
        raise CostModelError(
            f"Odoo's {model.name}, id {record['id']}, {model.fields[error.column]}: {error.reason}"
        ) from None


def _text(value: object) -> str:
    """Odoo says false where a field is unset; of a float, a double, the shortest decimal counts, to
    twelve decimals: 3 x 0.1 is 0.30000000000000004 there."""
    if value is False or value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    written = format(Decimal(repr(value)), "f")
    is_short = len(written.partition(".")[2]) <= _OF_A_DOUBLE
    return written if is_short else f"{value:.{_OF_A_DOUBLE}f}"
