"""The page's charts, as SVG that needs neither script nor network.

Altair writes Vega-Lite, vl-convert draws it in this process. Lengths are drawn from doubles; every
figure that is read, label or text alternative, is made from the exact one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from html import escape
from typing import Any

import altair as alt
import vl_convert

from exports.finance.figures import Account, Counted, Figures, Flow, Point
from exports.finance.plain import count, money, percent

REVENUE, COGS, MARGIN, LOSS, MUTED, INK = (
    "#2b6cb0",
    "#b7791f",
    "#2f855a",
    "#b42318",
    "#8a94a3",
    "#1f2933",
)
TOP_ACCOUNTS = 10
_FONT = "Arial, 'Liberation Sans', Helvetica, sans-serif"
# Text is measured in one font and read in another, wider perhaps: room at both ends.
_PADDING = {"left": 30, "right": 50, "top": 5, "bottom": 5}
_OPENING = re.compile(r'<svg [^>]*viewBox="([^"]*)"[^>]*>')


@dataclass(frozen=True)
class Drawing:
    """`svg` to be put into the page; `caption` is what one sees, `text` what it says in words."""

    name: str
    caption: str
    text: str
    svg: str


def _svg(name: str, caption: str, text: str, chart: Any) -> Drawing:
    """Draws `chart`. Its title and description are the SVG's own, for readers that do not see."""
    configured = (
        chart.configure(aria=False, font=_FONT, background="transparent", padding=_PADDING)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK,
            labelFontSize=12,
            titleColor=INK,
            titleFontSize=12,
            titleFontWeight="normal",
            gridColor="#e4e7eb",
            domainColor="#c3cad4",
            tickColor="#c3cad4",
        )
        .configure_legend(labelColor=INK, labelFontSize=12, title=None, orient="top")
        .configure_header(labelColor=INK, labelFontSize=13, labelFontWeight="bold", title=None)
    )
    drawn = vl_convert.vegalite_to_svg(configured.to_dict())
    opened = _OPENING.match(drawn)
    if opened is None:
        raise ValueError(f"{name}: the drawing does not begin as an SVG")
    box = opened.group(1)
    start = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}" role="img" '
        f'style="width:{box.split()[2]}px" aria-labelledby="{name}-title {name}-text">'
        f'<title id="{name}-title">{escape(caption)}</title>'
        f'<desc id="{name}-text">{escape(text)}</desc>'
    )
    return Drawing(name, caption, text, start + drawn[opened.end() :])


def _data(rows: list[dict[str, object]]) -> alt.InlineData:
    return alt.InlineData(values=rows)


def _measures(point: Point) -> list[tuple[str, Decimal]]:
    earned = point.earned
    return [("Revenue", earned.revenue), ("COGS", earned.cogs), ("Margin", earned.margin)]


def trend(points: list[Point], currency: str) -> Drawing:
    """Revenue, COGS and margin of each service over the months."""
    rows: list[dict[str, object]] = [
        {
            "service": point.service,
            "month": f"{point.month:%b %Y}",
            "order": point.month.isoformat(),
            "measure": measure,
            "amount": float(amount),
        }
        for point in points
        for measure, amount in _measures(point)
    ]
    months = list(
        dict.fromkeys(str(r["month"]) for r in sorted(rows, key=lambda r: str(r["order"])))
    )
    services = list(dict.fromkeys(point.service for point in points))
    last = max(point.month for point in points)
    said = "; ".join(
        f"{p.service}: revenue {money(p.earned.revenue)}, COGS {money(p.earned.cogs)}, "
        f"margin {money(p.earned.margin)}"
        for p in points
        if p.month == last
    )
    names = ["Revenue", "COGS", "Margin"]
    bars = (
        alt.Chart(_data(rows))
        .mark_bar()
        .encode(
            x=alt.X("month:N", sort=months, title=None, axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("measure:N", sort=names),
            y=alt.Y(
                "amount:Q", title=None, axis=alt.Axis(tickCount=4, format=",.0f", minExtent=36)
            ),
            color=alt.Color(
                "measure:N",
                sort=names,
                scale=alt.Scale(domain=names, range=[REVENUE, COGS, MARGIN]),
            ),
        )
        .properties(width=max(300, 58 * len(months)), height=130)
        .facet(facet=alt.Facet("service:N", sort=services), columns=1 if len(months) > 6 else 2)
        .resolve_scale(y="independent")
        .resolve_axis(x="independent")
    )
    caption = f"Revenue, COGS and margin by service and month, {currency}"
    return _svg("trend", caption, f"In {last:%B %Y}: {said}.", bars)


@dataclass(frozen=True)
class _Step:
    name: str
    start: Decimal
    end: Decimal
    is_total: bool = False


def _steps(flow: Flow) -> list[_Step]:
    on_time, late = flow.on_time, flow.on_time + flow.late
    after = flow.billed - flow.not_invoiced
    zero = Decimal(0)
    return [
        _Step("Usage at its prices", zero, flow.usage, True),
        _Step("Included in plans", flow.usage, on_time),
        _Step("Rated, billed on time", zero, on_time, True),
        _Step("Late usage", on_time, late),
        _Step("Corrections", late, flow.billed),
        _Step("Billed, as adjusted", zero, flow.billed, True),
        _Step("Not on a posted invoice", flow.billed, after),
        _Step("Differs in Odoo", after, flow.invoiced),
        _Step("Invoiced", zero, flow.invoiced, True),
    ]


def waterfall(flow: Flow, currency: str) -> Drawing:
    """From usage to invoice, step by step."""
    steps = _steps(flow)
    rows: list[dict[str, object]] = [
        {
            "step": step.name,
            "start": float(step.start),
            "end": float(step.end),
            "right": float(max(step.start, step.end, Decimal(0))),
            "colour": REVENUE if step.is_total else MARGIN if step.end >= step.start else LOSS,
            "label": money(step.end - step.start),
        }
        for step in steps
    ]
    y = alt.Y("step:N", sort=[s.name for s in steps], title=None, axis=alt.Axis(labelLimit=220))
    base = alt.Chart(_data(rows))
    bars = base.mark_bar(height=16).encode(
        y=y,
        x=alt.X("start:Q", title=None, axis=alt.Axis(tickCount=5, format=",.0f")),
        x2="end:Q",
        color=alt.Color("colour:N", scale=None),
    )
    labels = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(
        y=y, x="right:Q", text="label:N"
    )
    caption = f"From usage to invoice, {currency}"
    text = "; ".join(f"{s.name} {money(s.end - s.start)}" for s in steps)
    drawn = (bars + labels).properties(width=560, height=26 * len(steps))
    return _svg("waterfall", caption, f"{text}.", drawn)


def reasons(found: list[Counted]) -> Drawing | None:
    """Differences by reason; None where there is none."""
    if not found:
        return None
    ordered = sorted(found, key=lambda r: (-r.count, r.name))
    rows: list[dict[str, object]] = [
        {
            "reason": r.name,
            "count": r.count,
            "colour": LOSS if r.name == "unexplained" else REVENUE,
            "label": count(r.count),
        }
        for r in ordered
    ]
    y = alt.Y("reason:N", sort=[r.name for r in ordered], title=None, axis=alt.Axis(labelLimit=220))
    base = alt.Chart(_data(rows))
    bars = base.mark_bar(height=16).encode(
        y=y,
        x=alt.X("count:Q", axis=None),
        color=alt.Color("colour:N", scale=None),
    )
    labels = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(
        y=y, x="count:Q", text="label:N"
    )
    text = "; ".join(f"{r.name} {count(r.count)}" for r in ordered)
    drawn = (bars + labels).properties(width=560, height=26 * len(ordered))
    return _svg("reasons", "Differences by reason", f"{text}.", drawn)


def top_accounts(accounts: list[Account], currency: str) -> Drawing | None:
    """The accounts with the largest revenue, their margin inside it; None without revenue."""
    largest = [a for a in accounts if a.earned.revenue > 0][:TOP_ACCOUNTS]
    if not largest:
        return None
    labels = [f"{a.customer or a.account} · {a.service}" for a in largest]
    # Two accounts of one name must not become one bar.
    labels = [
        label if labels.count(label) == 1 else f"{label} · {a.account}"
        for label, a in zip(labels, largest, strict=True)
    ]
    rows: list[dict[str, object]] = [
        {
            "account": label,
            "revenue": float(a.earned.revenue),
            "margin": float(a.earned.margin),
            "colour": MARGIN if a.earned.margin >= 0 else LOSS,
            "label": f"{money(a.earned.revenue)}, margin {percent(a.earned.margin_ratio)}",
        }
        for label, a in zip(labels, largest, strict=True)
    ]
    y = alt.Y("account:N", sort=labels, title=None, axis=alt.Axis(labelLimit=240))
    base = alt.Chart(_data(rows))
    revenue = base.mark_bar(height=18, color="#cbdcf0").encode(y=y, x=alt.X("revenue:Q", axis=None))
    margin = base.mark_bar(height=8).encode(
        y=y, x="margin:Q", color=alt.Color("colour:N", scale=None)
    )
    texts = base.mark_text(align="left", dx=6, color=INK, fontSize=12).encode(
        y=y, x="revenue:Q", text="label:N"
    )
    caption = f"The {len(largest)} accounts with the largest revenue, and their margin, {currency}"
    said = "; ".join(
        f"{label}: revenue {money(a.earned.revenue)}, margin {money(a.earned.margin)}"
        for label, a in zip(labels, largest, strict=True)
    )
    drawn = (revenue + margin + texts).properties(width=460, height=28 * len(largest))
    return _svg("accounts-chart", caption, f"{said}.", drawn)


def drawings(found: Figures) -> dict[str, Drawing | None]:
    """The page's charts by name."""
    return {
        "trend": trend(found.trend, found.currency) if found.trend else None,
        "waterfall": waterfall(found.flow, found.currency),
        "reasons": reasons(found.reasons),
        "accounts": top_accounts(found.accounts, found.currency),
    }
