"""What a close asks of margin and cost: as `checks`, dbt's blocking tests asked anew."""

from __future__ import annotations

from exports.finance.checks import CheckQuery

# Over all months: the days of a period that crosses one belong to both.
ACCRUED = CheckQuery(
    "accrued",
    """
    with margins as (
        select
            concat_ws(':', coalesce(account_key, service_code), plan_code, metric_code)
                as revenue_key,
            sum(usage_revenue) as amount
        from marts.fct_margin_monthly
        group by 1
    ),

    rated as (
        select
            concat_ws(':', coalesce(account_key, service_code), plan_code, metric_code)
                as revenue_key,
            sum(amount) as amount
        from marts.fct_rated_lines
        where currency = {currency}
        group by 1
    )

    select revenue_key
    from margins
    full join rated using (revenue_key)
    where coalesce(margins.amount, 0) <> coalesce(rated.amount, 0)
    order by revenue_key collate "C"
    """,
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

# All that a cost says, as it came in and in the provider's currency, whatever of it was corrected:
# what an account bears is a part of this. Of a cost that several sources tell, the one counts that
# int_costs_converted believes.
ALLOCATED = CheckQuery(
    "allocated",
    """
    with told as (
        select
            *,
            row_number() over (
                partition by provider, sku, day, service_code, account_key
                order by array_position(array['odoo', 'fusion_api', 'api'], source), cost_key
            ) as telling
        from staging.stg_costs__provider_costs
        where day >= {month} and day < {next_month}
    ),

    costs as (
        select cost_key, provider, sku, day, service_code, account_key, currency, quantity, amount
        from told
        where telling = 1
    ),

    shares as (
        select
            cost_key,
            provider,
            sku,
            day,
            cost_service_code as service_code,
            min(account_key) filter (where allocation = 'direct') as account_key,
            currency,
            sum(quantity) as quantity,
            sum(amount) as amount
        from marts.fct_cogs_daily
        where day >= {month} and day < {next_month}
        group by cost_key, provider, sku, day, cost_service_code, currency
    )

    select distinct coalesce(costs.cost_key, shares.cost_key) as cost_key
    from costs
    full join shares
        on costs.cost_key = shares.cost_key
    where costs.* is distinct from shares.*
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
    with daily as (
        select
            concat_ws(' ', cost_service_code, provider, sku) as cost_group,
            case when count(amount_company) = count(*) then round(sum(amount_company), 2) end
                as amount
        from marts.fct_cogs_daily
        where day >= {month} and day < {next_month}
        group by 1
    ),

    monthly as (
        select
            concat_ws(' ', cost_service_code, provider, sku) as cost_group,
            sum(amount_company) as amount
        from marts.fct_cogs_monthly
        where month = {month}
        group by 1
    ),

    borne as (
        select
            concat_ws(':', coalesce(account_key, service_code), plan_code, metric_code)
                as cost_group,
            sum(amount_company) as amount
        from marts.fct_cogs_monthly
        where month = {month}
        group by 1
    ),

    margins as (
        select
            concat_ws(':', coalesce(account_key, service_code), plan_code, metric_code)
                as cost_group,
            sum(cogs) as amount
        from marts.fct_margin_monthly
        where month = {month}
        group by 1
    )

    select cost_group
    from daily
    full join monthly using (cost_group)
    where daily.amount is distinct from monthly.amount

    union all

    select cost_group
    from borne
    full join margins using (cost_group)
    where coalesce(borne.amount, 0) <> coalesce(margins.amount, 0)
    """,
)

MARGIN_QUERIES = (ACCRUED, MARGIN_ROWS, INVOICED, ALLOCATED, WITHOUT_RATE, COST)
