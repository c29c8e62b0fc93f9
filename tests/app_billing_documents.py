"""Documents as Lago and Stripe hand them out, small enough to add up on paper, and what was stored
of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from ingest.app_billing.lago import import_lago
from ingest.app_billing.load import ImportReport
from ingest.app_billing.stripe import import_stripe
from warehouse.tables import app_billing_line, app_invoice

Json = dict[str, Any]
# 2026-09-01, 2026-09-16 and 2026-10-01, midnight in Toronto (04:00 UTC in summer).
SEPTEMBER, MID_SEPTEMBER, OCTOBER = 1788235200, 1789531200, 1790827200


def lago_fee(**changes: Any) -> Json:
    """1,250.5 messages, 1,000 of them free, the rest at 0.012: 3.006, so 3.01; HST 0.39."""
    fee: Json = {
        "lago_id": "fee-1",
        "external_customer_id": "acct-1",
        "external_subscription_id": "sub-1",
        "amount_cents": 301,
        "precise_amount": "3.006",
        "amount_currency": "CAD",
        "taxes_amount_cents": 39,
        "taxes_rate": 13.0,
        "precise_coupons_amount_cents": "0.0",
        "units": "1250.5",
        "total_aggregated_units": "1250.5",
        "from_date": "2026-09-01T04:00:00Z",
        "to_date": "2026-10-01T03:59:59Z",
        "item": {"type": "charge", "code": "messages", "item_type": "BillableMetric"},
        "amount_details": {
            "graduated_ranges": [
                {"units": "1000", "per_unit_amount": "0.0", "flat_unit_amount": "0.0"},
                {"units": "250.5", "per_unit_amount": "0.012", "flat_unit_amount": "0.0"},
            ]
        },
    }
    return fee | changes


def lago_plan_fee(**changes: Any) -> Json:
    """29.00 a month, HST 3.77."""
    fee: Json = {
        "lago_id": "fee-0",
        "amount_cents": 2900,
        "taxes_amount_cents": 377,
        "units": "1.0",
        "total_aggregated_units": None,
        "item": {"type": "subscription", "code": "desk_team", "item_type": "Subscription"},
        "amount_details": {"plan_amount_cents": 2900},
    }
    return lago_fee(**(fee | changes))


def lago_invoice(*fees: Json, off: int = 0, **changes: Any) -> Json:
    """Of the plan's fee and the messages, unless told otherwise: 32.01 and HST 4.16 are 36.17.
    `off` is taken off by coupons, in cents."""
    fees = fees or (lago_plan_fee(), lago_fee())
    net = sum(_whole(fee["amount_cents"]) for fee in fees) - off
    tax = sum(fee["taxes_amount_cents"] for fee in fees)
    invoice: Json = {
        "lago_id": "inv-1",
        "number": "LAG-1-001",
        "issuing_date": "2026-10-01",
        "invoice_type": "subscription",
        "status": "finalized",
        "payment_status": "pending",
        "currency": "CAD",
        "fees_amount_cents": net + off,
        "coupons_amount_cents": off,
        "progressive_billing_credit_amount_cents": 0,
        "sub_total_excluding_taxes_amount_cents": net,
        "taxes_amount_cents": tax,
        "sub_total_including_taxes_amount_cents": net + tax,
        "prepaid_credit_amount_cents": 0,
        "credit_notes_amount_cents": 0,
        "total_amount_cents": net + tax,
        "version_number": 4,
        "updated_at": "2026-10-01T06:00:00Z",
        "customer": {"external_id": "acct-1"},
        "fees": list(fees),
    }
    return invoice | changes


def _whole(amount: Any) -> int:
    return amount if isinstance(amount, int) else 0


def without_fees(invoice: Json, **changes: Any) -> Json:
    """As GET /invoices lists it."""
    return {name: value for name, value in invoice.items() if name != "fees"} | changes


def lago_credit_note(*items: Json, off: int = 0, tax: int = 39, **changes: Any) -> Json:
    """Takes the messages back: 3.01 and HST 0.39."""
    items = items or ({"lago_id": "item-1", "amount_cents": 301, "fee": lago_fee()},)
    net = sum(item["amount_cents"] for item in items) - off
    note: Json = {
        "lago_id": "cn-1",
        "number": "LAG-1-001-CN001",
        "lago_invoice_id": "inv-1",
        "invoice_number": "LAG-1-001",
        "issuing_date": "2026-10-05",
        "credit_status": "available",
        "refund_status": None,
        "reason": "other",
        "currency": "CAD",
        "total_amount_cents": net + tax,
        "taxes_amount_cents": tax,
        "sub_total_excluding_taxes_amount_cents": net,
        "credit_amount_cents": net + tax,
        "refund_amount_cents": 0,
        "offset_amount_cents": 0,
        "coupons_adjustment_amount_cents": off,
        "updated_at": "2026-10-05T06:00:00Z",
        "customer": {"external_id": "acct-1"},
        "items": list(items),
    }
    return note | changes


def stripe_line(**changes: Any) -> Json:
    """12.25 hours at 8.5 cents are 1.04125, so 1.04; HST 0.14."""
    line: Json = {
        "id": "il_1",
        "object": "line_item",
        "amount": 104,
        "currency": "cad",
        "discount_amounts": [],
        "discountable": True,
        "metadata": {"metric_code": "compute_hours"},
        "parent": {
            "type": "invoice_item_details",
            "invoice_item_details": {"invoice_item": "ii_1", "proration": False},
            "subscription_item_details": None,
        },
        "period": {"start": SEPTEMBER, "end": OCTOBER},
        "pretax_credit_amounts": [],
        "pricing": {
            "type": "price_details",
            "price_details": {"price": "price_1", "product": "prod_1"},
            "unit_amount_decimal": "8.5",
        },
        "quantity": 12,
        "quantity_decimal": "12.25",
        "taxes": [{"amount": 14, "tax_behavior": "exclusive"}],
    }
    return line | changes


def stripe_invoice(*lines: Json, off: int = 0, **changes: Any) -> Json:
    """Of the compute hours, unless told otherwise: 1.04 and HST 0.14 are 1.18. `off` is what the
    invoice says was discounted, in cents."""
    lines = lines or (stripe_line(),)
    taxes = [tax for line in lines for tax in line.get("taxes") or line.get("tax_amounts") or []]
    inside = sum(tax["amount"] for tax in taxes if _is_inside(tax))
    net = sum(line["amount"] for line in lines) - off - inside
    tax = sum(tax["amount"] for tax in taxes)
    invoice: Json = {
        "id": "in_1",
        "object": "invoice",
        "number": "NC-1",
        "status": "paid",
        "currency": "cad",
        "customer": "cus_1",
        "created": OCTOBER,
        "metadata": {"external_account_id": "acct-1"},
        "parent": {
            "type": "subscription_details",
            "subscription_details": {
                "subscription": "sub_1",
                "metadata": {"external_subscription_id": "nc-sub-1"},
            },
        },
        "status_transitions": {"finalized_at": OCTOBER + 86400},
        "subtotal": net + off,
        "total_discount_amounts": [{"amount": off, "discount": "di_1"}] if off else [],
        "total_excluding_tax": net,
        "total_taxes": [{"amount": tax, "tax_behavior": "exclusive"}],
        "total": net + tax,
        "lines": {"object": "list", "has_more": False, "data": list(lines)},
    }
    return invoice | changes


def _is_inside(tax: Json) -> bool:
    return bool(tax.get("inclusive")) or tax.get("tax_behavior") == "inclusive"


def stripe_before_basil(**changes: Any) -> Json:
    """The same line and invoice as API versions before basil return them."""
    line = stripe_line(
        price={"id": "price_1", "nickname": "Compute", "product": "prod_1", "metadata": {}},
        tax_amounts=[{"amount": 14, "inclusive": False, "tax_rate": "txr_1"}],
        type="invoiceitem",
        proration=False,
    )
    for name in ("pricing", "taxes", "parent", "quantity_decimal"):
        del line[name]
    invoice = stripe_invoice(
        line | changes,
        subscription="sub_1",
        subscription_details={"metadata": {"external_subscription_id": "nc-sub-1"}},
        tax=14,
        total_tax_amounts=[{"amount": 14, "inclusive": False, "tax_rate": "txr_1"}],
    )
    for name in ("parent", "total_taxes"):
        del invoice[name]
    return invoice


def stripe_credit_note(*lines: Json, **changes: Any) -> Json:
    """Takes the compute hours back: 1.04 and HST 0.14."""
    line: Json = {
        "id": "cnli_1",
        "object": "credit_note_line_item",
        "amount": 104,
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": "il_1",
        "quantity": 12,
        "taxes": [{"amount": 14, "tax_behavior": "exclusive"}],
        "type": "invoice_line_item",
    }
    note: Json = {
        "id": "cn_1",
        "object": "credit_note",
        "number": "NC-1-CN-01",
        "status": "issued",
        "currency": "cad",
        "customer": "cus_1",
        "invoice": "in_1",
        "created": OCTOBER + 5 * 86400,
        "effective_at": OCTOBER + 5 * 86400,
        "metadata": {},
        "amount": 118,
        "discount_amount": 0,
        "subtotal": 104,
        "total": 118,
        "total_excluding_tax": 104,
        "total_taxes": [{"amount": 14, "tax_behavior": "exclusive"}],
        "refunds": [{"amount_refunded": 118, "refund": "re_1", "type": "refund"}],
        "lines": {"object": "list", "has_more": False, "data": list(lines or (line,))},
    }
    return note | changes


def stripe_refund(**changes: Any) -> Json:
    refund: Json = {
        "id": "re_1",
        "object": "refund",
        "amount": 118,
        "charge": "ch_1",
        "created": OCTOBER + 5 * 86400,
        "currency": "cad",
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "requested_by_customer",
        "receipt_number": "3278-0001",
        "status": "succeeded",
    }
    return refund | changes


def write(folder: Path, content: object, name: str = "export.json") -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def load_lago(engine: Engine, *paths: Path, **options: Any) -> ImportReport:
    return import_lago(engine, paths, **({"service_code": "nexadesk"} | options))


def load_stripe(engine: Engine, *paths: Path, **options: Any) -> ImportReport:
    return import_stripe(engine, paths, **({"service_code": "nexacloud"} | options))


def empty(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(sa.delete(app_billing_line))
        connection.execute(sa.delete(app_invoice))


def stored_lines(engine: Engine) -> list[sa.Row[Any]]:
    """Of every version, in the order of document, version and line."""
    key = (app_billing_line.c[name] for name in ("external_invoice_id", "version"))
    statement = sa.select(app_billing_line).order_by(*key, app_billing_line.c.external_line_id)
    with engine.connect() as connection:
        return list(connection.execute(statement))


def stored_documents(engine: Engine) -> list[sa.Row[Any]]:
    """Every version, in the order of document and version."""
    key = (app_invoice.c.external_invoice_id, app_invoice.c.version)
    with engine.connect() as connection:
        return list(connection.execute(sa.select(app_invoice).order_by(*key)))


def said(report: ImportReport) -> list[str]:
    return [str(problem) for problem in report.problems]
