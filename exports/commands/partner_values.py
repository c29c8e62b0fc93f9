"""Lago's customer fields as values of a res.partner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exports.commands.outcomes import AGAIN, CannotApplyError
from odoo_gateway.client import OdooClient, Record

Payload = Mapping[str, Any]

_TEXTS = {
    "email": "email",
    "phone": "phone",
    "url": "website",
    "address_line1": "street",
    "address_line2": "street2",
    "city": "city",
    "zipcode": "zip",
    "tax_identification_number": "vat",
}
_PLACE = ("country", "state")
FIELDS = ("name", *_TEXTS.values(), "country_id", "state_id")


def name_of(payload: Payload, external_id: str) -> str:
    """What the partner is called: the most telling name that was given, else the app's id."""
    person = " ".join(str(payload[part]) for part in ("firstname", "lastname") if payload.get(part))
    return str(payload.get("name") or payload.get("legal_name") or person or external_id)


def new_values(client: OdooClient, payload: Payload, external_id: str) -> Record:
    """All values of a partner that is made for this customer. Raises CannotApplyError."""
    kind = payload.get("customer_type")
    is_company = (
        kind == "company"
        if kind
        else bool(payload.get("legal_name") or payload.get("tax_identification_number"))
    )
    return {
        "name": name_of(payload, external_id),
        "is_company": is_company,
        **{field: payload[given] for given, field in _TEXTS.items() if payload.get(given)},
        **_place(client, payload),
    }


def changed_values(
    client: OdooClient, payload: Payload, before: Payload | None, partner: Record
) -> Record:
    """What is to be written onto a partner that is there.

    With `before`, what was applied last: what the app has changed since; the rest stays as
    finance has it. None: only what is empty in Odoo.
    """
    given = {name for name in (*_TEXTS, *_PLACE) if payload.get(name)}
    if before is not None:
        given = {name for name in given if payload[name] != before.get(name)}
    values = {_TEXTS[name]: payload[name] for name in given if name in _TEXTS}
    if before is not None and name_of(payload, "") not in ("", name_of(before, "")):
        values["name"] = name_of(payload, "")
    if given.intersection(_PLACE):
        values |= _place(client, payload)
        moved = partner["country_id"] and values.get("country_id") != partner["country_id"]
        if moved and before is not None:
            values.setdefault("state_id", False)  # a province of the country that was left
    if before is None:
        return {name: value for name, value in values.items() if not partner[name]}
    return {name: value for name, value in values.items() if partner[name] != value}


def _place(client: OdooClient, payload: Payload) -> Record:
    """Country and state as Odoo's records. Tax goes by the province, so one in Canada that Odoo
    does not know is an error; elsewhere it is left out."""
    code = payload.get("country")
    if not code:
        return {}
    countries = client.search_read("res.country", [("code", "=", code)], ["id"])
    if not countries:
        raise CannotApplyError(f"Odoo knows no country {code}: mend it in the app")
    country = countries[0]["id"]
    named = str(payload.get("state") or "").strip()
    if not named:
        return {"country_id": country}
    states = client.search_read(
        "res.country.state", [("country_id", "=", country)], ["code", "name"]
    )
    for state in states:
        if named.casefold() in (str(state["code"]).casefold(), str(state["name"]).casefold()):
            return {"country_id": country, "state_id": state["id"]}
    if code == "CA":
        raise CannotApplyError(
            f"Odoo knows no province {named!r} of Canada, and tax goes by it: mend it in the app,"
            f" or add it in Odoo (Contacts, Configuration, Fed. States), {AGAIN}"
        )
    return {"country_id": country}
