"""Writes the old billers' exports of the closed months: Lago's and Stripe's JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

from sandbox.catalogue import NEXACLOUD, NEXADESK, NEXAMAPS
from sandbox.export_figures import Json
from sandbox.lago_export import lago_invoice
from sandbox.model import World
from sandbox.old_billing import old_invoices
from sandbox.stripe_export import stripe_invoice
from sandbox.usage import UsageKey, expected_usage


def write_lago_invoices(world: World, folder: Path) -> list[Path]:
    """One file per service and closed month, `lago-<service>-<YYYY-MM>.json`, holding
    `{"invoices": […], "meta": …}`, each invoice with its fees. One more invoice is voided."""
    folder.mkdir(parents=True, exist_ok=True)
    usage = expected_usage(world, include_late=True)
    paths = []
    for service in (NEXADESK, NEXAMAPS):
        for month in world.closed_months:
            invoices = list(old_invoices(world, service, month, usage))
            shown = [lago_invoice(world, invoice) for invoice in invoices]
            if service == NEXADESK and month == world.first:
                twin = replace(invoices[0], sequence=9)
                shown.append({**lago_invoice(world, twin), "status": "voided"})
            path = folder / f"lago-{service}-{month:%Y-%m}.json"
            meta = {
                "current_page": 1,
                "next_page": None,
                "prev_page": None,
                "total_pages": 1,
                "total_count": len(shown),
            }
            paths.append(_write(path, {"invoices": shown, "meta": meta}))
    return paths


def write_stripe_invoices(world: World, folder: Path) -> list[Path]:
    """One file per closed month, `stripe-nexacloud-<YYYY-MM>.json`, a list object of invoices.
    One more invoice is still a draft."""
    folder.mkdir(parents=True, exist_ok=True)
    usage = expected_usage(world, include_late=True)
    paths = []
    for month in world.closed_months:
        invoices = list(old_invoices(world, NEXACLOUD, month, usage))
        shown = [stripe_invoice(world, invoice) for invoice in invoices]
        if month == world.second:
            draft = stripe_invoice(world, replace(invoices[0], sequence=9))
            shown.append({**draft, "status": "draft", "number": None})
        path = folder / f"stripe-{NEXACLOUD}-{month:%Y-%m}.json"
        listing = {"object": "list", "url": "/v1/invoices", "has_more": False, "data": shown}
        paths.append(_write(path, listing))
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
