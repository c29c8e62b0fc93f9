"""What a close asks of the marts beside their rows of the month: dbt's blocking tests, asked anew.

Each query's rows are its answer; none of them trusts that a build tested what it then left behind.
"""

from __future__ import annotations

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

# Over all months: the days of a period that crosses one belong to both.
ACCRUED = CheckQuery(
    "accrued",
    """
    select
        coalesce((select sum(usage_revenue) from marts.fct_margin_monthly), 0)::text as accrued,
        coalesce(
            (select sum(amount) from marts.fct_rated_lines where currency = {currency}), 0
        )::text as rated
    """,
    ("accrued", "rated"),
)

MARGIN_ROWS = CheckQuery(
    "margin_rows",
    """
    select margin_key
    from marts.fct_margin_monthly
    where
        month = {month}
        and not coalesce(
            revenue = usage_revenue + base_revenue
            and margin = revenue - cogs
            and invoiced_revenue = invoiced_usage + invoiced_base
            and invoiced_margin = invoiced_revenue - cogs,
            false
        )
    order by margin_key collate "C"
    """,
)

INVOICED = CheckQuery(
    "invoiced",
    """
    select
        coalesce(
            sum(
                case when invoices.move_type = 'out_refund' then -1 else 1 end
                * round(
                    invoices.amount_untaxed
                    / case when currencies.currency = {currency} then 1 else rates.rate end,
                    2
                )
            ),
            0
        )::text as in_odoo,
        count(*) filter (
            where currencies.currency is distinct from {currency} and rates.rate is null
        ) as without_rate
    from staging.stg_odoo__invoices as invoices
    left join staging.stg_odoo__currencies as currencies
        on invoices.odoo_currency_id = currencies.odoo_currency_id
    left join intermediate.int_currency_rates_daily as rates
        on
            currencies.currency = rates.currency
            and invoices.invoice_date >= rates.valid_from
            and (rates.valid_to is null or invoices.invoice_date < rates.valid_to)
    where
        invoices.invoice_state = 'posted'
        and invoices.move_type in ('out_invoice', 'out_refund')
        and invoices.invoice_date >= {month}
        and invoices.invoice_date < {next_month}
    """,
    ("in_odoo",),
)

# In the provider's currency, and as it came in: what an account bears is a part of this. Of a cost
# that several sources tell, the one counts that int_costs_converted believes.
ALLOCATED = CheckQuery(
    "allocated",
    """
    select coalesce(costs.cost_key, shares.cost_key) as cost_key
    from (
        select
            cost_key,
            amount,
            row_number() over (
                partition by provider, sku, day, service_code, account_key
                order by array_position(array['odoo', 'fusion_api', 'api'], source), cost_key
            ) as telling
        from staging.stg_costs__provider_costs
        where day >= {month} and day < {next_month}
    ) as costs
    full join (
        select cost_key, sum(amount) as amount
        from marts.fct_cogs_daily
        where day >= {month} and day < {next_month}
        group by 1
    ) as shares
        on costs.cost_key = shares.cost_key
    where
        case when coalesce(costs.telling, 1) = 1 then costs.amount end
        is distinct from shares.amount
    order by 1
    """,
)

WITHOUT_RATE = CheckQuery(
    "without_rate",
    """
    select distinct cost_key
    from marts.fct_cogs_daily
    where day >= {month} and day < {next_month} and amount_company is null
    order by 1
    """,
)

# A group's cents are its six decimals rounded once, so that is all a group may differ by.
COST = CheckQuery(
    "cost",
    """
    select
        coalesce(sum(daily.amount), 0)::text as daily,
        coalesce(
            (select sum(amount_company) from marts.fct_cogs_monthly where month = {month}), 0
        )::text as monthly
    from (
        select round(sum(amount_company), 2) as amount
        from marts.fct_cogs_daily
        where day >= {month} and day < {next_month}
        group by cost_service_code, provider, sku
    ) as daily
    """,
    ("daily", "monthly"),
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
        documents.versions is distinct from build.app_document_versions as is_imported_since,
        mirror.read_at is distinct from build.odoo_read_at as is_mirrored_since
    from (select coalesce(max(read_at), '-infinity') as read_at from ops.odoo_mirror) as mirror
    cross join (
        select coalesce(sum(version), 0) as versions from staging.stg_app_billing__invoices
    ) as documents
    left join marts.rpt_finance_build as build
        on true
    left join marts.rpt_rating_build as rating
        on true
    """,
)

QUERIES = (
    RATED,
    ACCRUED,
    MARGIN_ROWS,
    INVOICED,
    ALLOCATED,
    WITHOUT_RATE,
    COST,
    NOT_BUILT,
    NEWER,
)
