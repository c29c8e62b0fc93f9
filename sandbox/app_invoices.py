"""Writes the old billers' exports of the closed months: Lago's and Stripe's JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from sandbox import lago_export as lago
from sandbox import stripe_export as stripe
from sandbox.catalogue import NEXACLOUD, NEXADESK, NEXAMAPS
from sandbox.export_figures import Json
from sandbox.lago_export import lago_credit_note, lago_invoice
from sandbox.model import World
from sandbox.old_billing import half_credited, old_invoices, one_off_invoice
from sandbox.stripe_export import stripe_credit_note, stripe_invoice, stripe_refund
from sandbox.usage import UsageKey, expected_usage


def write_lago_invoices(world: World, folder: Path) -> list[Path]:
    """Per service and closed month `lago-<service>-<YYYY-MM>.json`, the list, which has no fees,
    and `lago-<service>-<YYYY-MM>-shown.jsonl`, each of its invoices as it is shown. One invoice of
    NexaDesk is voided; one is a one-off with a coupon, half of which a credit note takes back."""
    folder.mkdir(parents=True, exist_ok=True)
    usage = expected_usage(world, include_late=True)
    paths = []
    for service in (NEXADESK, NEXAMAPS):
        for month in world.closed_months:
            invoices = list(old_invoices(world, service, month, usage))
            shown = [lago_invoice(world, invoice) for invoice in invoices]
            if service == NEXADESK and month == world.first:
                twin = replace(invoices[0], sequence=9)
                once = one_off_invoice(world, invoices[0])
                shown.append({**lago_invoice(world, twin), "status": "voided"})
                shown.append(lago_invoice(world, once))
                note = lago_credit_note(world, once, half_credited(once))
                path = folder / f"lago-{service}-credit-notes.json"
                paths.append(_write(path, lago.page_of("credit_notes", [note])))
            path = folder / f"lago-{service}-{month:%Y-%m}.json"
            paths.append(_write(path, lago.page_of("invoices", [lago.listed(x) for x in shown])))
            paths.append(_write_lines(path.with_name(f"{path.stem}-shown.jsonl"), shown))
    return paths


def write_stripe_invoices(world: World, folder: Path) -> list[Path]:
    """Per closed month `stripe-nexacloud-<YYYY-MM>.json`, a list object of invoices. One more
    invoice is still a draft; one is a one-off with a discount, half of which was credited and paid
    back: `stripe-nexacloud-credit-notes.json` and `-refunds.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    usage = expected_usage(world, include_late=True)
    paths = []
    for month in world.closed_months:
        invoices = list(old_invoices(world, NEXACLOUD, month, usage))
        shown = [stripe_invoice(world, invoice) for invoice in invoices]
        once = one_off_invoice(world, invoices[0])
        name = f"stripe-{NEXACLOUD}"
        if month == world.second:
            draft = stripe_invoice(world, replace(invoices[0], sequence=9))
            shown.append({**draft, "status": "draft", "number": None})
        else:
            shown.append(stripe_invoice(world, once))
            note = stripe_credit_note(world, once, half_credited(once))
            refund = stripe_refund(world, once, half_credited(once))
            notes = stripe.page_of("/v1/credit_notes", [note])
            paths.append(_write(folder / f"{name}-credit-notes.json", notes))
            refunds = stripe.page_of("/v1/refunds", [refund])
            paths.append(_write(folder / f"{name}-refunds.json", refunds))
        listing = stripe.page_of("/v1/invoices", shown)
        paths.append(_write(folder / f"{name}-{month:%Y-%m}.json", listing))
    return paths


def old_totals(world: World, usage: Mapping[UsageKey, Decimal]) -> dict[tuple[str, date], Decimal]:
    """Usage fees that each app billed per closed month, before tax, whatever the currency."""
    totals: dict[tuple[str, date], Decimal] = {}
    for service in (NEXACLOUD, NEXADESK, NEXAMAPS):
        for month in world.closed_months:
            totals[service, month] = sum(
                (
                    line.amount
                    for invoice in old_invoices(world, service, month, usage)
                    for line in invoice.lines
                    if line.item_type == "charge"
                ),
                Decimal(0),
            )
    return totals


def _write(path: Path, content: Json) -> Path:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def _write_lines(path: Path, shown: list[Json]) -> Path:
    """As a loop over GET /invoices/{id} leaves them."""
    lines = [json.dumps({"invoice": invoice}, ensure_ascii=False) for invoice in shown]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
