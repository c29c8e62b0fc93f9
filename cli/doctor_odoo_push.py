"""The doctor's look at what the push needs of Odoo: rights, journals, orders that take lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from cli.findings import Finding, failed, ok, warning
from exports.push_problems import PROBLEMS, Judge
from ingest.odoo_mirror import BILLING, MASTER
from odoo_gateway.client import OdooClient
from odoo_gateway.errors import OdooRefusedError

# What mirror, push and commands do, and no more.
NEEDED: dict[str, tuple[str, ...]] = {
    **{mirrored.model: ("read",) for mirrored in MASTER + BILLING},
    "sale.order.line": ("read", "create", "write"),
    "sale.order": ("read", "create", "write"),
    "res.partner": ("read", "create", "write"),
    "x_fc_account_link": ("read", "create"),
    "sale.order.template": ("read",),
    "account.fiscal.position": ("read",),
    "res.company": ("read",),
    "res.country": ("read",),
    "res.country.state": ("read",),
}
_OPEN = [("x_fc_external_id", "!=", False), ("state", "=", "sale")]
_SOME = 3


def rights(client: OdooClient) -> Iterator[Finding]:
    missing = [
        f"{operation} {model}"
        for model, operations in NEEDED.items()
        for operation in operations
        if not _may(client, model, operation)
    ]
    if missing:
        yield failed(
            "Odoo rights",
            f"ODOO_USER may not {', '.join(missing)}",
            "Give the user Sales: Administrator and Invoicing: Billing (Settings, Users).",
        )
    else:
        yield ok("Odoo rights", "reads what the mirror reads, writes orders, lines and customers")


def _may(client: OdooClient, model: str, operation: str) -> bool:
    """True of a model that is not there as well: other checks name those that must be."""
    try:
        return bool(client.call(model, "has_access", [], operation=operation))
    except OdooRefusedError:
        return True


def journals(client: OdooClient) -> Iterator[Finding]:
    found = client.search_read(
        "account.journal", [("type", "=", "sale"), ("active", "=", True)], ["name"]
    )
    if found:
        yield ok("Odoo journals", ", ".join(record["name"] for record in found))
    else:
        yield failed(
            "Odoo journals",
            "no active journal for sales: nothing can be invoiced",
            "Make one in Odoo (Invoicing, Configuration, Journals), or install l10n_ca.",
        )


def subscriptions(client: OdooClient) -> Iterator[Finding]:
    """Confirmed orders that the push would refuse lines for."""
    if "x_fc_external_id" not in client.fields_get("sale.order"):
        return
    judged = Judge.of(client).orders(_OPEN)
    problems = [problem for _, problem in judged if problem]
    # Closed and paused ones are as finance wants them.
    wrong = [each for each in problems if not each.name.startswith("subscription_")]
    if not wrong:
        yield ok("Odoo subscriptions", f"{len(judged)} confirmed, all that are open take lines")
        return
    counts = Counter(problem.name for problem in wrong)
    told = "; ".join(f"{count} × {PROBLEMS[name]}" for name, count in counts.most_common())
    yield warning(
        "Odoo subscriptions",
        f"{len(wrong)} of {len(judged)} would take no usage: {told}",
        "; ".join(problem.reason for problem in wrong[:_SOME]),
    )
