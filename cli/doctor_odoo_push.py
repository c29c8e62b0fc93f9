"""The doctor's look at what the push needs of Odoo: rights, journals, orders that take lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from cli.findings import Finding, failed, ok, warning
from exports.push_problems import PROBLEMS, Judge
from odoo_gateway.client import OdooClient

# What mirror, push and commands do, and no more.
NEEDED = {
    "sale.order.line": ("read", "create", "write"),
    "sale.order": ("read", "create", "write"),
    "res.partner": ("read", "create", "write"),
    "product.product": ("read",),
    "account.move": ("read",),
    "account.move.line": ("read",),
    "account.journal": ("read",),
    "account.tax": ("read",),
    "account.fiscal.position": ("read",),
    "res.currency.rate": ("read",),
    "decimal.precision": ("read",),
}
_OPEN = [("x_fc_external_id", "!=", False), ("state", "=", "sale")]
_SOME = 3


def rights(client: OdooClient) -> Iterator[Finding]:
    missing = [
        f"{operation} {model}"
        for model, operations in NEEDED.items()
        for operation in operations
        if not client.call(model, "has_access", [], operation=operation)
    ]
    if missing:
        yield failed(
            "Odoo rights",
            f"ODOO_USER may not {', '.join(missing)}",
            "Give the user Sales: Administrator and Invoicing: Billing (Settings, Users).",
        )
    else:
        yield ok("Odoo rights", "reads what the mirror reads, writes orders, lines and customers")


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
