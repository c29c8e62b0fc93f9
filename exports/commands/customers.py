"""One res.partner per client: found by account link, VAT or e-mail, else made; then the link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exports.commands.outcomes import AGAIN, AmbiguousError, CannotApplyError
from exports.commands.partner_values import FIELDS, changed_values, new_values
from odoo_gateway.client import OdooClient, Record
from odoo_gateway.errors import OdooRefusedError

PARTNER, LINK = "res.partner", "x_fc_account_link"
_READ = (*FIELDS, "active", "commercial_partner_id", "x_fc_account_key")
_MOST_NAMED = 10


def linked_partner(client: OdooClient, service_code: str, account_id: str) -> Record | None:
    """The partner of the account link, or None. Raises CannotApplyError where it is archived."""
    links = client.search_read(
        LINK,
        [("x_service_code", "=", service_code), ("x_external_account_id", "=", account_id)],
        ["x_partner_id"],
    )
    if not links:
        return None
    return _usable(_partners(client, [("id", "=", links[0]["x_partner_id"])]), account_id)


def apply_customer(
    client: OdooClient,
    service_code: str,
    account_id: str,
    payload: Mapping[str, Any],
    before: Mapping[str, Any] | None,
) -> int:
    """Brings the customer into Odoo; returns the partner's id. Safe to repeat from any point.

    `before` is what was applied last, None the first time. Raises AmbiguousError,
    CannotApplyError, OdooRefusedError, OdooTransientError.
    """
    key = _key(service_code, account_id)
    partner = linked_partner(client, service_code, account_id)
    if partner is None:
        partner = _made_before(client, service_code, account_id) or _match(client, payload)
        if partner is None:
            values = {**new_values(client, payload, account_id), "x_fc_account_key": key}
            (number,) = client.create(PARTNER, [values])
            _link(client, service_code, account_id, number)
            return number
        _link(client, service_code, account_id, int(partner["id"]))
    # A partner that was found and not made by this account is somebody else's as well: an app
    # that knows an e-mail address must not rename whoever has it, or redirect their invoices.
    if partner["x_fc_account_key"] == key:
        changes = changed_values(client, payload, before or {}, partner)
    else:
        changes = changed_values(client, payload, None, partner)
    if changes:
        client.write(PARTNER, [partner["id"]], changes)
    return int(partner["id"])


def _key(service_code: str, account_id: str) -> str:
    return f"{service_code}:{account_id}"


def _made_before(client: OdooClient, service_code: str, account_id: str) -> Record | None:
    """A partner that was made for this account by a pass that ended before the link stood."""
    found = _partners(client, [("x_fc_account_key", "=", _key(service_code, account_id))])
    return _usable(found, account_id) if found else None


def _match(client: OdooClient, payload: Mapping[str, Any]) -> Record | None:
    """The one client that fits, by VAT, else by e-mail; None where nobody does."""
    vat, email = payload.get("tax_identification_number"), payload.get("email")
    if vat:
        found = _clients(client, _active(client, [("vat", "=", vat)]))
        if found:
            return _only(found, f"VAT {vat}")
    if not email:
        return None
    # `_` and `%` match anything here, so that more may come than is meant.
    like = _active(client, [("email", "=ilike", email)])
    same = [each for each in like if str(each["email"]).casefold() == str(email).casefold()]
    found = _clients(client, same)
    if not found:
        return None
    one = _only(found, f"e-mail {email}")
    if vat and one["vat"] and one["vat"] != vat:
        raise AmbiguousError(
            f"partner {one['id']} ({one['name']}) has the e-mail {email}, but VAT {one['vat']}"
            f" and not {vat}: {_NEXT_STEP}"
        )
    return one


_NEXT_STEP = (
    "make the account link in Odoo (Usage billing, Usage account links); the next pass takes it"
)


def _only(found: Sequence[Record], what: str) -> Record:
    if len(found) == 1:
        return found[0]
    named = ", ".join(f"{each['id']} ({each['name']})" for each in found[:_MOST_NAMED])
    more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    raise AmbiguousError(f"{len(found)} partners have the {what}: {named}{more}: {_NEXT_STEP}")


def _clients(client: OdooClient, partners: Sequence[Record]) -> list[Record]:
    """The clients behind partners: a company's contacts are that company."""
    owners = {each["commercial_partner_id"] or each["id"] for each in partners}
    found = {each["id"]: each for each in partners if each["id"] in owners}
    missing = sorted(owners - found.keys())
    if missing:
        found |= {each["id"]: each for each in _active(client, [("id", "in", missing)])}
    return [found[number] for number in sorted(found)]


def _active(client: OdooClient, domain: list[Any]) -> list[Record]:
    return _partners(client, [*domain, ("active", "=", True)])


def _partners(client: OdooClient, domain: list[Any]) -> list[Record]:
    return client.search_read(PARTNER, domain, _READ)


def _usable(found: Sequence[Record], account_id: str) -> Record:
    if not found or not found[0]["active"]:
        name = f"{found[0]['id']} ({found[0]['name']})" if found else "gone"
        raise CannotApplyError(
            f"the partner of account {account_id}, {name}, is archived in Odoo: restore it, or"
            f" point the account link at another, {AGAIN}"
        )
    return found[0]


def _link(client: OdooClient, service_code: str, account_id: str, partner_id: int) -> None:
    values = {
        "x_name": _key(service_code, account_id),
        "x_service_code": service_code,
        "x_external_account_id": account_id,
        "x_partner_id": partner_id,
    }
    try:
        client.create(LINK, [values])
    except OdooRefusedError:
        # Somebody made it meanwhile: the unique index says no to a second one.
        partner = linked_partner(client, service_code, account_id)
        if partner is None:
            raise
        if partner["id"] != partner_id:
            raise CannotApplyError(
                f"account {account_id} was linked to partner {partner['id']} meanwhile; the next"
                f" pass goes by that link: {AGAIN}"
            ) from None
