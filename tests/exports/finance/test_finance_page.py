"""The month's page: what it says, that anyone can read it, and that a browser is content."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import chromium
import pytest
from finance_world import World, line, lines_of
from openpyxl import load_workbook

from exports.canonical import lines_sha256
from exports.finance.close import close_month
from exports.finance.month import MonthExport, export_month
from warehouse.settings import Settings

FEBRUARY = dt.date(2026, 2, 1)
VOID = {"meta", "br", "path", "rect", "line", "circle", "col"}


class Tree(HTMLParser):
    """What the checks need of a page: its elements with their path, and their text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str], tuple[str, ...]]] = []
        self.texts: list[tuple[str, str]] = []  # tag that holds it, text
        self._open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}, tuple(self._open)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}, tuple(self._open)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.texts.append((self._open[-1], data.strip()))

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes, _ in self.elements if name == tag]


@pytest.fixture
def exported(world: World, tmp_path: Path) -> MonthExport:
    world.fill(FEBRUARY)
    return export_month(
        world.engine,
        FEBRUARY,
        tmp_path,
        manifest=world.manifest,
        settings=Settings(),
        code_version="0.1.0+test",
    )


@pytest.fixture
def html(exported: MonthExport) -> str:
    return exported.files[0].read_text()


@pytest.fixture
def tree(html: str) -> Tree:
    return Tree(html)


def rows_of(html: str, caption: str) -> list[list[str]]:
    """The cells of the table with that caption, header and totals included."""
    start = html.index(f"<caption>{caption}")
    body = html[start : html.index("</table>", start)]
    return [
        [cell.replace("&#x27;", "'") for cell in re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", row)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
    ]


def test_the_page_says_what_the_month_is_and_what_attests_it(html: str) -> None:
    assert "<title>Usage billing, February 2026 (Draft, not closed)</title>" in html
    assert '<p class="state draft">Draft, not closed</p>' in html
    assert f"6 lines, SHA-256 {lines_sha256(lines_of(FEBRUARY))}" in html


def test_a_closed_month_says_so(world: World, tmp_path: Path) -> None:
    month = dt.date(2026, 3, 1)
    world.fill(month)
    world.bill(lines_of(month))
    closed = close_month(
        world.engine,
        month,
        tmp_path,
        manifest=world.manifest,
        settings=Settings(),
        code_version="0.1.0+test",
    )
    assert '<p class="state closed">Closed, version 1</p>' in closed.files[0].read_text()
    names = [name for (name,) in world.query("select unnest(files) from ops.month_close")]
    assert "2026-03/fusion-billing-2026-03.html" in names


def test_the_figures_of_the_page_are_those_worked_out_by_hand(html: str) -> None:
    assert rows_of(html, "Margin by service")[1:] == [
        ["nexacloud", "3.19", "19.00", "22.19", "7.41", "14.78", "66.6 %", "22.14", "−0.05"],
        ["nexadesk", "40.80", "29.00", "69.80", "12.35", "57.45", "82.3 %", "68.60", "−1.20"],
        ["nexamaps", "4.60", "49.00", "53.60", "62.00", "−8.40", "−15.7 %", "53.60", "0.00"],
        ["(no service)", "0.00", "6.00", "6.00", "0.00", "6.00", "100.0 %", "12.00", "6.00"],
        ["Total", "48.59", "103.00", "151.59", "81.76", "69.83", "46.1 %", "156.34", "4.75"],
    ]
    assert rows_of(html, "Step by step")[1:] == [
        ["Usage at its prices", "105.09"],
        ["Included in plans", "−56.90"],
        ["Billed on time", "48.19"],
        ["Late usage", "1.20"],
        ["Corrections", "−0.80"],
        ["Billed", "48.59"],
        ["Not on a posted invoice", "−1.20"],
        ["Differs in Odoo", "−0.05"],
        ["Invoiced", "47.34"],
    ]
    assert [row[2] for row in rows_of(html, "Checks")[1:]] == ["OK"] * 17
    assert ["late_usage", "1", "−1.20", "0.00"] in rows_of(html, "Reconciliation by reason")


def test_page_and_workbook_agree(exported: MonthExport, html: str) -> None:
    """Every figure of a service's margin, of the steps and of the differences, cell by cell."""
    summary = load_workbook(exported.files[1], data_only=True)["Summary"]
    by_label: dict[str, list[tuple[object, ...]]] = {}
    for row in summary.iter_rows(values_only=True):
        by_label.setdefault(str(row[0]), []).append(row[1:])
    compared = 0
    for caption, nth in (
        ("Margin by service", 0),
        ("Usage lines by service", 1),
        ("Step by step", 0),
        ("Reconciliation by reason", 0),
    ):
        for label, *cells in rows_of(html, caption)[1:]:
            if label == "Total":
                continue
            for shown, value in zip(cells, by_label[label][nth], strict=False):
                if not shown.endswith("%"):
                    plain = float(shown.replace("−", "-").replace(",", ""))
                    assert plain == pytest.approx(value), (caption, label)
                    compared += 1
    assert compared == 4 * 7 + 3 * 7 + 9 + 4 * 3


def test_what_comes_from_data_is_escaped(world: World, tmp_path: Path) -> None:
    """A customer's name is theirs to choose; it must not become part of the page."""
    world.fill(FEBRUARY)
    nasty = '<script>alert(1)</script>"><img src=http://example.com/x>'
    for mart, column in (
        ("rpt_margin_by_account", "partner_name"),
        ("rpt_margin_exceptions", "partner_name"),
        ("fct_reconciliation", "detail"),
        ("fct_billed_lines", "push_reason"),
        ("fct_billed_lines", "odoo_invoice_name"),
        ("fct_usage_conservation", "metric_code"),
    ):
        world.run(f"update marts.{mart} set {column} = :nasty", nasty=nasty)
    result = export_month(
        world.engine,
        FEBRUARY,
        tmp_path,
        manifest=world.manifest,
        settings=Settings(),
        code_version="0.1.0+test",
    )
    html = result.files[0].read_text()
    assert "<script" not in html
    assert "<img" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10


def test_nothing_is_loaded_and_nothing_runs(tree: Tree, html: str) -> None:
    assert {name for name, _, _ in tree.elements} & {"script", "link", "img", "iframe"} == set()
    for _, attributes, _ in tree.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "src"]
        assert attributes.get("href", "#").startswith("#")
    assert "@import" not in html
    assert "url(" not in html
    assert len(html.encode()) < 300_000


def test_headings_form_an_outline(tree: Tree) -> None:
    levels = [int(name[1]) for name, _, _ in tree.elements if re.fullmatch(r"h[1-6]", name)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    assert tree.all("html") == [{"lang": "en-CA"}]


def test_every_table_has_a_caption_and_scoped_headers(tree: Tree) -> None:
    names = Counter(name for name, _, _ in tree.elements)
    assert names["table"] == names["caption"] == names["thead"] > 15
    assert all(attributes.get("scope") in ("col", "row") for attributes in tree.all("th"))
    captions = [text for tag, text in tree.texts if tag == "caption"]
    assert len(captions) == names["caption"]


def test_every_chart_has_a_text_alternative(tree: Tree) -> None:
    charts = tree.all("svg")
    ids = Counter(attributes["id"] for _, attributes, _ in tree.elements if "id" in attributes)
    assert len(charts) == 4
    assert set(ids.values()) == {1}
    for chart in charts:
        assert chart["role"] == "img"
        assert all(ids[name] == 1 for name in chart["aria-labelledby"].split())
    described = [text for tag, text in tree.texts if tag == "desc"]
    assert len(described) == 4
    assert "nexamaps: revenue 53.60, COGS 62.00, margin −8.40" in described[0]
    assert "Billed, as adjusted 48.59" in described[1]
    assert described[2] == "late_usage 1; rounding 1."


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.1's contrast ratio of two #rrggbb."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_every_text_has_the_contrast_of_level_aa(html: str) -> None:
    assert contrast("#000000", "#ffffff") == 21
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", html))
    for name in ("ink", "muted", "accent", "bad", "good"):
        for background in ("#ffffff", colours["soft"]):
            assert contrast(colours[name], background) >= 4.5, name
    assert contrast("#8a4b08", "#fffaf0") >= 4.5  # a draft's badge
    assert contrast(colours["good"], "#f2fbf6") >= 4.5
    for fill in set(re.findall(r'<text[^>]*fill="(#[0-9a-f]{6})"', html)):
        assert contrast(fill, "#ffffff") >= 4.5, fill


def test_a_long_month_stays_light(world: World, tmp_path: Path) -> None:
    """Two thousand lines: the page shows the largest and says how many there are."""
    many = [
        line(
            f"nexacloud:{n}", "cloud_s/compute_hours", FEBRUARY, "1", "0", "1", "1", "1", f"{n}.00"
        )
        for n in range(2000)
    ]
    world.fill(FEBRUARY)
    world.add_lines(many)
    result = export_month(
        world.engine,
        FEBRUARY,
        tmp_path,
        manifest=world.manifest,
        settings=Settings(),
        code_version="0.1.0+test",
    )
    html = result.files[0].read_text()
    assert "50 of 2,006 rows; the workbook has them all." in html
    assert len(html.encode()) < 300_000
    assert rows_of(html, "Invoice lines")[1][9] == "1,999.00"
    assert len(rows_of(html, "Invoice lines")) == 51


browser_only = pytest.mark.skipif(
    chromium.EXECUTABLE is None, reason="Debian's chromium is not installed"
)


@pytest.mark.browser
@browser_only
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_a_browser_shows_it_without_complaint_or_overflow(
    exported: MonthExport, tmp_path: Path, width: int
) -> None:
    page = exported.files[0]
    with chromium.browser(tmp_path / "profile") as browser:
        browser.open(page, width=width)
        assert browser.ask("innerWidth") == width
        assert (
            browser.ask(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            == 0
        )
        assert browser.complaints() == []
        assert browser.requests() == [page.resolve().as_uri()]
        # Wide tables scroll in boxes of their own, which the keyboard reaches.
        boxes = browser.ask(
            "[...document.querySelectorAll('.box')].filter(b => b.scrollWidth > b.clientWidth)"
            ".map(b => [b.tabIndex, b.getAttribute('role'), getComputedStyle(b).overflowX])"
        )
        assert all(box == [0, "region", "auto"] for box in boxes)
        assert boxes or width == 1280
        # Red for what is negative, and figures under each other.
        assert browser.ask("getComputedStyle(document.querySelector('.neg')).color") == (
            "rgb(180, 35, 24)"
        )
        assert "tabular-nums" in browser.ask("getComputedStyle(document.body).fontVariantNumeric")


@pytest.mark.browser
@browser_only
def test_it_prints(exported: MonthExport, tmp_path: Path) -> None:
    with chromium.browser(tmp_path / "profile") as browser:
        browser.open(exported.files[0], width=965)  # a sheet's, within its margins
        printed = browser.pdf()
        assert printed.startswith(b"%PDF-")
        assert len(re.findall(rb"/Type\s*/Page\b", printed)) in range(3, 20)
        browser.do("Emulation.setEmulatedMedia", media="print")
        assert browser.ask("getComputedStyle(document.querySelector('nav')).display") == "none"
        # Paper does not scroll: what is too wide would be cut off.
        assert (
            browser.ask(
                "[...document.querySelectorAll('.box')]"
                ".filter(b => b.scrollWidth > b.clientWidth + 1)"
                ".map(b => b.getAttribute('aria-label'))"
            )
            == []
        )
