"""The month's page: one static HTML file, without script, font or picture from anywhere else.

The same report as the workbook's, to be read on a screen, a phone or paper.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path

from exports.finance.charts import drawings
from exports.finance.page_html import figure, section
from exports.finance.page_sections import (
    accounts_table,
    adjustments_table,
    checks_table,
    conservation_table,
    definitions_table,
    differences_table,
    exceptions_tables,
    flow_table,
    lines_by_service_table,
    lines_table,
    margin_table,
    outcomes_table,
    provenance_tables,
)
from exports.finance.plain import count, money, percent
from exports.finance.report import Report

# Nothing is loaded, whatever a name in the data may say.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def _key_figures(report: Report) -> str:
    total, flow = report.figures.total, report.figures.flow
    unexplained = sum(r.count for r in report.figures.reasons if r.name == "unexplained")
    failed = sum(not check.holds for check in report.checks)
    entries = (
        ("Revenue", money(total.revenue)),
        ("COGS", money(total.cogs)),
        ("Margin", money(total.margin)),
        ("Margin %", percent(total.margin_ratio)),
        ("Usage billed", money(flow.billed)),
        ("Invoiced revenue", money(total.invoiced_revenue)),
        ("Unexplained", count(unexplained)),
        ("Checks", "all hold" if not failed else f"{failed} to look at"),
    )
    cells = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>\n" for name, value in entries
    )
    return f'<dl class="key">\n{cells}</dl>\n'


def _header(report: Report) -> str:
    css = "draft" if report.version is None else "closed"
    _, made, attested = report.notes
    return (
        f'<header>\n<p class="state {css}">{escape(report.state)}</p>\n'
        f"<h1>{escape(report.title)}</h1>\n"
        f'<p class="meta">{escape(report.about)}</p>\n<p class="meta">{escape(made)}</p>\n'
        f'<p class="meta hash">{escape(attested)}</p>\n</header>\n'
    )


def _sections(report: Report) -> list[tuple[str, str, str]]:
    """Name, title and HTML of each section."""
    drawn = drawings(report.figures)
    questions = {table.table.sheet: table.table.question for table in report.tables}

    def one(name: str, title: str, question: str, *parts: str) -> tuple[str, str, str]:
        return name, title, section(name, title, question, *parts)

    return [
        one(
            "margin",
            "Margin by service",
            questions["Margin by service"],
            margin_table(report),
            figure(drawn["trend"]),
        ),
        one(
            "flow",
            "From usage to invoice",
            "What usage was worth, what plans include, what was billed, and what Odoo invoiced.",
            figure(drawn["waterfall"]),
            flow_table(report),
            lines_by_service_table(report),
        ),
        one(
            "reconciliation",
            "Reconciliation",
            questions["Reconciliation"],
            figure(drawn["reasons"]),
            outcomes_table(report),
            differences_table(report),
        ),
        one("exceptions", "Exceptions", questions["Exceptions"], *exceptions_tables(report)),
        one("checks", "Checks", "Does it all foot?", checks_table(report)),
        one(
            "accounts",
            "Margin by account",
            questions["Margin by account"],
            figure(drawn["accounts"]),
            accounts_table(report),
        ),
        one("adjustments", "Adjustments", questions["Adjustments"], adjustments_table(report)),
        one("lines", "Invoice lines", questions["Invoice lines"], lines_table(report)),
        one("conservation", "Conservation", questions["Conservation"], conservation_table(report)),
        one(
            "definitions",
            "Definitions",
            "What every column means, as its model promises it.",
            definitions_table(report),
        ),
        one(
            "provenance",
            "Provenance",
            "Where these figures come from.",
            *provenance_tables(report),
        ),
    ]


def page(report: Report) -> str:
    """The page as text. The same report gives the same text."""
    css = files("exports.finance").joinpath("page.css").read_text(encoding="utf-8")
    sections = _sections(report)
    links = "".join(
        f'<li><a href="#{name}">{escape(title)}</a></li>\n' for name, title, _ in sections
    )
    return (
        '<!doctype html>\n<html lang="en-CA">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.title)} ({escape(report.state)})</title>\n"
        f"<style>\n{css}</style>\n</head>\n<body>\n{_header(report)}"
        f'<nav aria-label="On this page">\n<ul>\n{links}</ul>\n</nav>\n<main>\n'
        f"{_key_figures(report)}{''.join(html for _, _, html in sections)}"
        "</main>\n</body>\n</html>\n"
    )


def write_page(report: Report, path: Path) -> None:
    """Writes the page to `path`."""
    path.write_text(page(report), encoding="utf-8", newline="\n")
