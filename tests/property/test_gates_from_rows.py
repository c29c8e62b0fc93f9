"""The gate from what was really landed, billed and imported: counters, a ledger, an app's invoices
with their base fees, and every model between them and `rpt_parity`."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from reconciled_cases import Row
from reconciled_world import Reconciled

from exports.cutover.decisions import CutoverRefusedError
from exports.cutover.month_parity import Acceptable
from exports.cutover.moving import advance, status
from exports.cutover.phases import Phase
from warehouse.engine import make_engine

D = Decimal
CLOUD = "nexacloud"  # in shadow
TODAY = dt.date(2026, 10, 5)


def row(number: int, *kinds: str) -> Row:
    return Row(
        service=CLOUD,
        number=number,
        account=f"a{number}",
        kinds=kinds,
        used=D(50_000),
        late=D(0),
        back=D(0),
        edge=(D(200), D(1000)),
        messages=D(2000),
        other_price=D("0.0019"),
    )


def test_base_fees_keep_no_service_in_shadow_but_missing_invoices_do(
    database_url: str, folder: Path
) -> None:
    """Two subscriptions, in August and September: two charges, what these lack of a minimum,
    and a base fee each. The app billed all of it but the loads of the second one's September: 11
    lines match, 1 is missing."""
    world = Reconciled(database_url, folder, [row(1), row(2, "not_in_app")])
    world.reconcile("+rpt_parity +fct_billed_lines +rpt_finance_build")
    engine = make_engine(database_url)
    (found,) = status(engine, world.settings, today=TODAY, service_code=CLOUD)
    told = [
        (month.month.month, month.lines, month.matched, month.explained, month.missing_in_app)
        for month in found.months
    ]
    assert told == [(8, 6, 6, 0, 0), (9, 6, 5, 1, 1)]
    assert [month.base_fees_in_shadow for month in found.months] == [2, 2]
    (reason,) = found.reasons
    assert reason.startswith("2026-09: 1 of 6 lines are missing in the app: ")

    with pytest.raises(CutoverRefusedError, match="missing in the app"):
        advance(engine, world.settings, CLOUD, today=TODAY, by="ada")
    decision = advance(
        engine, world.settings, CLOUD, today=TODAY, by="ada", accepted=Acceptable.MISSING_IN_APP
    )
    assert decision.phase is Phase.DUAL_RUN
    assert decision.gate is not None
    assert decision.gate["accepted"] == "missing_in_app"
    assert [month["missing_in_app"] for month in decision.gate["months"]] == [0, 1]
    engine.dispose()
