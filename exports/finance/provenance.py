"""Where a month's figures come from: runs, build, mirror, imports, and hashes that attest them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from exports.finance.tables import Row, Value


@dataclass(frozen=True)
class Source:
    """A table of the Provenance: `sql` with {month}, {next_month} and {currency}; `headings` of
    its columns in order; `numerics` are those that it hands over as text."""

    name: str
    title: str
    sql: str
    headings: tuple[str, ...]
    numerics: tuple[str, ...] = ()


RUNS = Source(
    "runs",
    "Billing runs that wrote lines of the month",
    """
    select
        runs.run_id,
        runs.run_date,
        runs.run_at,
        coalesce(runs.service_code, 'all') as service,
        lines.lines,
        lines.amount::text as amount,
        runs.build_id,
        runs.high_water_xid::text as snapshot,
        runs.catalog_sha256,
        runs.code_version,
        runs.lines as lines_of_run,
        runs.lines_sha256
    from ops.billing_run as runs
    inner join (
        select run_id, count(*) as lines, sum(amount) as amount
        from marts.fct_billed_lines
        where period_end - 1 >= {month} and period_end - 1 < {next_month}
        group by 1
    ) as lines
        on runs.run_id = lines.run_id
    order by runs.run_id
    """,
    (
        "Run",
        "For the day",
        "Ran at (UTC)",
        "Service",
        "Lines of the month",
        "Their amount",
        "dbt build",
        "Snapshot (transactions below)",
        "Catalogue SHA-256",
        "Code version",
        "Lines of the run",
        "Their SHA-256",
    ),
    ("amount",),
)

RATING = Source(
    "rating",
    "The rating the marts were built from",
    """
    select rated_at, rated_xid::text as snapshot, rules
    from ops.rating_progress
    """,
    ("Rated at (UTC)", "Snapshot (transactions below)", "SHA-256 of catalogue, settings, code"),
)

MIRROR = Source(
    "mirror",
    "Odoo, as it was last read",
    """
    select table_name, odoo, read_at, written_until, full_at
    from ops.odoo_mirror
    order by table_name collate "C"
    """,
    (
        "Model",
        "Odoo",
        "Last complete pass began (UTC)",
        "Odoo's changes until (UTC)",
        "Read whole (UTC)",
    ),
)

COSTS = Source(
    "costs",
    "Provider costs of the month's days",
    """
    select
        source,
        file,
        count(*) as rows,
        min(day) as first_day,
        max(day) as last_day,
        encode(
            sha256(
                convert_to(
                    string_agg(
                        jsonb_build_array(
                            cost_key, provider, sku, day, service_code, external_account_id,
                            trim_scale(quantity)::text, trim_scale(amount)::text, currency
                        )::text,
                        e'\\n' order by cost_key collate "C"
                    ),
                    'UTF8'
                )
            ),
            'hex'
        ) as rows_sha256
    from raw.provider_cost
    where day >= {month} and day < {next_month}
    group by 1, 2
    order by source collate "C", file collate "C"
    """,
    ("Source", "File", "Rows", "First day", "Last day", "Rows' SHA-256"),
)

# A document counts for the month that it was issued in, or that one of its lines bills for.
APPS = Source(
    "apps",
    "What the apps billed: documents issued in, or about, the month",
    """
    select
        documents.source,
        documents.file,
        count(*) as documents,
        count(*) filter (where documents.version > 1) as changed,
        encode(
            sha256(
                string_agg(
                    documents.content_sha256, ''::bytea
                    order by documents.external_invoice_id collate "C", documents.version
                )
            ),
            'hex'
        ) as documents_sha256
    from raw.app_invoice as documents
    where
        documents.issued_on >= {month} and documents.issued_on < {next_month}
        or exists (
            select from raw.app_billing_line as lines
            where
                lines.source = documents.source
                and lines.external_invoice_id = documents.external_invoice_id
                and lines.version = documents.version
                and lines.period_from >= {month}
                and lines.period_from < {next_month}
        )
    group by 1, 2
    order by documents.source collate "C", documents.file collate "C"
    """,
    ("Biller", "File", "Documents", "Of them changed since", "Documents' SHA-256"),
)

SOURCES = (RUNS, RATING, MIRROR, COSTS, APPS)


@dataclass(frozen=True)
class Section:
    """One table of the Provenance, ready to be written; cells in the order of `headings`."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]


def sections(
    found: dict[str, list[Row]], counts: list[tuple[str, str, int]], files: list[Path]
) -> list[Section]:
    """The Provenance of a month. `counts` are sheet, mart and rows; `files` lie beside the file
    that this goes into, and are named with their hash."""
    written = [
        (path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in files
    ]
    return [
        *(
            Section(source.title, source.headings, tuple(tuple(r.values()) for r in found[name]))
            for source, name in ((source, source.name) for source in SOURCES)
        ),
        Section("Rows of the month", ("Table", "Mart", "Rows"), tuple(counts)),
        Section("Files beside this one", ("File", "Bytes", "SHA-256"), tuple(written)),
    ]
