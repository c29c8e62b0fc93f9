"""What a close asks of the marts beside their rows of the month: dbt's blocking tests, asked anew.

Each query's rows are its answer; none of them trusts that a build tested what it then left behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class CheckQuery:
    """`sql` with {month}, {next_month} and {currency}; `numerics` are columns that it hands
    over as text."""

    name: str
    sql: str
    numerics: tuple[str, ...] = ()


RATED = CheckQuery(
    "rated",
    """
    select
        service_code,
        sum(amount)::text as amount,
        coalesce(
            sum(quantity_included * unit_price / coalesce(package_size, 1)), 0
        )::text as included
    from marts.fct_rated_lines
    where
        period_end - 1 >= {month}
        and period_end - 1 < {next_month}
        and currency = {currency}
    group by 1
    order by service_code collate "C"
    """,
    ("amount", "included"),
)

# Each by itself: a charge billed twice and another not at all would add up. Over all lines of a
# key, for an adjustment may name a shorter period than the line it adjusts.
NOT_AS_RATED = CheckQuery(
    "not_as_rated",
    """
    with keys as (
        select line_key from marts.fct_rated_lines
        where period_end - 1 >= {month} and period_end - 1 < {next_month}
        union
        select rated_line_key from marts.fct_billed_lines
        where period_end - 1 >= {month} and period_end - 1 < {next_month}
    ),

    billed as (
        select rated_line_key as line_key, sum(amount) as amount
        from marts.fct_billed_lines
        group by 1
    )

    select keys.line_key
    from keys
    left join marts.fct_rated_lines as rated on keys.line_key = rated.line_key
    left join billed on keys.line_key = billed.line_key
    where coalesce(rated.amount, 0) <> coalesce(billed.amount, 0)
    order by keys.line_key collate "C"
    """,
)

# A row that got lost is no difference. The ledger and the apps' lines as they stand now, by what
# was compared; a line's own dates find it where no row does.
COMPARED = CheckQuery(
    "compared",
    """
    with compared as (
        select
            subscription_key,
            coalesce(metric_code, '') as metric_code,
            item_type,
            period_start,
            sum(platform_amount) as platform_amount,
            sum(app_amount) as app_amount,
            bool_or(
                coalesce(period_end - 1, period_start) >= {month}
                and coalesce(period_end - 1, period_start) < {next_month}
            ) as is_of_month
        from marts.fct_reconciliation
        group by 1, 2, 3, 4
    ),

    billed as (
        select
            subscription_key,
            coalesce(metric_code, '') as metric_code,
            'charge' as item_type,
            period_start,
            sum(amount) as amount,
            bool_or(period_end - 1 >= {month} and period_end - 1 < {next_month}) as is_of_month
        from marts.fct_billed_lines
        group by 1, 2, 3, 4
    ),

    apps as (
        select
            subscription_key,
            coalesce(metric_code, '') as metric_code,
            item_type,
            period_start,
            sum(amount) as amount,
            bool_or(
                app_period_end - 1 >= {month} and app_period_end - 1 < {next_month}
            ) as is_of_month
        from intermediate.int_app_lines_placed
        group by 1, 2, 3, 4
    )

    select concat_ws(':', subscription_key, metric_code, period_start::text) as what
    from compared
    full join billed using (subscription_key, item_type, period_start, metric_code)
    where
        (compared.is_of_month or billed.is_of_month)
        and coalesce(compared.platform_amount, 0) <> coalesce(billed.amount, 0)

    union all

    select concat_ws(':', subscription_key, metric_code, period_start::text) as what
    from compared
    full join apps using (subscription_key, item_type, period_start, metric_code)
    where
        (compared.is_of_month or apps.is_of_month)
        and coalesce(compared.app_amount, 0) <> coalesce(apps.amount, 0)

    union all

    select lines.app_line_key as what
    from staging.stg_app_billing__lines as lines
    left join intermediate.int_app_lines_placed as placed
        on lines.app_line_key = placed.app_line_key
    where
        lines.is_billed
        and lines.item_type in ('charge', 'subscription', 'minimum_commitment')
        and coalesce(lines.period_end - 1, lines.period_start) >= {month}
        and coalesce(lines.period_end - 1, lines.period_start) < {next_month}
        and lines.amount is distinct from placed.amount
    """,
)

# Counters of days before the month's end that no build has taken. Later ones are no matter of this
# month, else a system that is posted to could never close. 12 hours cover the zones west of UTC.
NOT_BUILT = CheckQuery(
    "not_built",
    """
    select
        (select count(*) from marts.rpt_rating_build) as builds,
        (
            select count(*)
            from marts.rpt_rating_build as build
            inner join raw.ingest_batch as batches
                on (batches.xid::text)::bigint >= build.high_water_xid
            inner join raw.usage_counter as counters
                on batches.batch_id = counters.batch_id
            where
                counters.window_start
                < {next_month}::timestamp at time zone 'UTC' + interval '12 hours'
        ) as counters
    """,
)

# What finance's marts read against what there is to read. Costs are compared one by one above.
NEWER = CheckQuery(
    "newer",
    """
    select
        build.rating_build_id is distinct from rating.build_id as is_rated_since,
        (documents.documents, documents.versions, documents.loaded_at)
        is distinct from
        (build.app_documents, build.app_document_versions, build.app_documents_loaded_at)
            as is_imported_since,
        drivers.md5 is distinct from build.cost_drivers_md5 as is_driven_since,
        mirror.read_at is distinct from build.odoo_read_at as is_mirrored_since
    from (select coalesce(max(read_at), '-infinity') as read_at from ops.odoo_mirror) as mirror
    cross join (
        select
            count(*) as documents,
            coalesce(sum(version), 0) as versions,
            coalesce(max(loaded_at), '-infinity') as loaded_at
        from staging.stg_app_billing__invoices
    ) as documents
    cross join (
        select
            md5(
                coalesce(
                    string_agg(
                        row(provider, sku, metric_code)::text,
                        ',' order by provider collate "C", sku collate "C"
                    ),
                    ''
                )
            ) as md5
        from ops.cost_driver
    ) as drivers
    left join marts.rpt_finance_build as build
        on true
    left join marts.rpt_rating_build as rating
        on true
    """,
)


def newer_sources(found: Mapping[str, object]) -> list[str]:
    """What of NEWER's row is newer than finance's marts, by name."""
    names = {
        "is_rated_since": "the rating",
        "is_imported_since": "documents of the apps",
        "is_driven_since": "cost drivers",
        "is_mirrored_since": "the mirror of Odoo",
    }
    return [name for column, name in names.items() if found[column]]


LINE_QUERIES = (RATED, NOT_AS_RATED, COMPARED, NOT_BUILT, NEWER)
