"""The marts of a month of three services, by hand: what stands in them beside the billed lines.

Every total of the tests follows from the figures here and in `lines_of`.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal

D = Decimal
Rows = list[dict[str, object]]

_AMOUNTS = (
    "usage_revenue numeric, base_revenue numeric, revenue numeric, cogs numeric, margin numeric,"
    " margin_pct numeric, invoiced_usage numeric, invoiced_base numeric, invoiced_revenue numeric,"
    " invoiced_margin numeric, invoiced_margin_pct numeric, currency text"
)
MARTS = f"""
drop schema if exists marts cascade;
drop schema if exists staging cascade;
drop schema if exists intermediate cascade;
create schema marts;
create schema staging;
create schema intermediate;
create table marts.fct_billed_lines (
    line_key text, rated_line_key text, adjustment_no int, run_id bigint, reason text,
    service_code text, account_key text, subscription_key text, plan_code text, metric_code text,
    charge_key text, period_start date, period_end date, tier int, quantity_used numeric,
    quantity_included numeric, quantity_billed numeric, unit_price numeric, amount numeric,
    amount_precise numeric, currency text, billed_at timestamptz, push_state text,
    push_problem text, push_reason text, odoo_order_id bigint, odoo_line_id bigint,
    odoo_subtotal numeric, odoo_invoiced numeric, odoo_tax numeric, odoo_invoice_id bigint,
    odoo_invoice_name text, odoo_invoice_state text, odoo_payment_state text);
create table marts.fct_rated_lines (
    line_key text, service_code text, account_key text, plan_code text, metric_code text,
    period_end date, quantity_included numeric, unit_price numeric,
    package_size numeric, amount numeric, currency text);
create table marts.fct_margin_monthly (
    margin_key text, month date, service_code text, account_key text, plan_code text,
    metric_code text, {_AMOUNTS});
create table marts.rpt_margin_by_service (
    month date, service_code text, accounts bigint, {_AMOUNTS}, previous_revenue numeric,
    revenue_change numeric, previous_margin numeric, margin_change numeric);
create table marts.rpt_margin_by_account (
    month date, service_code text, account_key text, partner_name text, {_AMOUNTS});
create table marts.rpt_margin_exceptions (
    exception_key text, month date, service_code text, account_key text, partner_name text,
    kind text, revenue numeric, cogs numeric, margin numeric, margin_pct numeric,
    margin_floor_pct numeric);
create table marts.fct_cogs_daily (
    cogs_key text, cost_key text, day date, cost_service_code text, service_code text,
    account_key text, metric_code text, provider text, sku text, allocation text,
    allocation_reason text, quantity numeric, amount numeric, currency text,
    amount_company numeric);
create table marts.fct_cogs_monthly (
    month date, cost_service_code text, service_code text, account_key text, plan_code text,
    metric_code text, provider text, sku text, amount_company numeric);
create table marts.fct_reconciliation (
    reconciliation_key text, service_code text, account_key text, subscription_key text,
    item_type text, metric_code text, charge_key text, period_start date, period_end date,
    phase text, currency text, app_quantity numeric, platform_quantity numeric,
    odoo_quantity numeric, app_amount numeric, platform_amount numeric, odoo_amount numeric,
    app_delta numeric, odoo_delta numeric, status text, reason text, detail text);
create table marts.fct_usage_conservation (
    service_code text, metric_code text, month date, bucket text, counters bigint,
    quantity numeric, raw_counters bigint, raw_quantity numeric, counters_difference bigint,
    quantity_difference numeric);
create table staging.stg_odoo__invoices (
    move_type text, invoice_state text, invoice_date date, odoo_currency_id bigint,
    amount_untaxed numeric);
create table staging.stg_odoo__currencies (odoo_currency_id bigint, currency text);
create table staging.stg_costs__provider_costs (
    cost_key text, source text, provider text, sku text, day date, service_code text,
    account_key text, quantity numeric, amount numeric, currency text);
create table staging.stg_app_billing__lines (
    app_line_key text, item_type text, period_start date, period_end date, amount numeric,
    is_billed boolean);
create table intermediate.int_app_lines_placed (
    app_line_key text, subscription_key text, item_type text, metric_code text, period_start date,
    app_period_end date, amount numeric);
create table marts.rpt_rating_build (build_id text, high_water_xid bigint);
create table marts.rpt_finance_build (
    rating_build_id text, app_documents bigint, app_document_versions bigint,
    app_documents_loaded_at timestamptz, cost_drivers_md5 text, odoo_read_at timestamptz);
create view staging.stg_app_billing__invoices as select version, loaded_at from raw.app_invoice;
insert into marts.rpt_rating_build
select 'rating', pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
create table intermediate.int_currency_rates_daily (
    currency text, valid_from date, valid_to date, rate numeric);
insert into staging.stg_odoo__currencies values (1, 'CAD'), (2, 'USD');
insert into intermediate.int_currency_rates_daily values ('USD', '2020-01-01', null, 0.75);
"""

# As rpt_finance_build says it of what is there now; with two drivers at most of these tests' own.
BUILT = """
truncate marts.rpt_finance_build;
insert into marts.rpt_finance_build
select
    'rating',
    count(*),
    coalesce(sum(version), 0),
    coalesce(max(loaded_at), '-infinity'),
    (
        select md5(coalesce(string_agg(
            '(' || provider || ',' || sku || ',' || metric_code || ')', ',' order by provider, sku
        ), ''))
        from ops.cost_driver
    ),
    (select coalesce(max(read_at), '-infinity') from ops.odoo_mirror)
from staging.stg_app_billing__invoices;
"""

_PLANS = {"nexacloud": "cloud_s", "nexadesk": "desk_team", "nexamaps": "maps_growth"}
# service, account, metric, usage, base, COGS, invoiced usage, invoiced base
_MARGINS = (
    ("nexacloud", "nexacloud:acct_1", "compute_hours", "2.59", "0", "7.41", "2.59", "0"),
    ("nexacloud", "nexacloud:acct_1", "storage_gb", "0.60", "0", "0", "0.55", "0"),
    ("nexacloud", "nexacloud:acct_1", None, "0", "19.00", "0", "0", "19.00"),
    ("nexadesk", "nexadesk:acct_1", "messages", "40.80", "0", "12.35", "39.60", "0"),
    ("nexadesk", "nexadesk:acct_1", None, "0", "29.00", "0", "0", "29.00"),
    ("nexamaps", "nexamaps:acct_1", "map_loads", "5.40", "0", "60.00", "5.40", "0"),
    ("nexamaps", "nexamaps:acct_1", "geocodes", "-0.80", "0", "0", "-0.80", "0"),
    ("nexamaps", "nexamaps:acct_1", None, "0", "49.00", "0", "0", "49.00"),
    ("nexamaps", None, None, "0", "0", "2.00", "0", "0"),  # a cost that no account caused
    (None, None, None, "0", "6.00", "0", "0", "12.00"),  # half a year's support: Odoo's own affair
)


def _amounts(rows: list[tuple[Decimal, ...]]) -> dict[str, object]:
    """usage, base, COGS, invoiced usage, invoiced base of several rows, and what follows."""
    usage, base, cogs, invoiced_usage, invoiced_base = (
        sum(values, D(0)) for values in zip(*rows, strict=True)
    )
    revenue, invoiced = usage + base, invoiced_usage + invoiced_base

    def pct(margin: Decimal, of: Decimal) -> Decimal | None:
        return round(100 * margin / of, 2) if of > 0 else None

    return {
        "usage_revenue": usage,
        "base_revenue": base,
        "revenue": revenue,
        "cogs": cogs,
        "margin": revenue - cogs,
        "margin_pct": pct(revenue - cogs, revenue),
        "invoiced_usage": invoiced_usage,
        "invoiced_base": invoiced_base,
        "invoiced_revenue": invoiced,
        "invoiced_margin": invoiced - cogs,
        "invoiced_margin_pct": pct(invoiced - cogs, invoiced),
        "currency": "CAD",
    }


def _grouped(by: int) -> dict[tuple[str | None, ...], list[tuple[Decimal, ...]]]:
    """The amounts of _MARGINS by its first `by` columns."""
    groups: dict[tuple[str | None, ...], list[tuple[Decimal, ...]]] = defaultdict(list)
    for row in _MARGINS:
        groups[row[:by]].append(tuple(D(str(value)) for value in row[3:]))
    return groups


def margins(month: dt.date) -> Rows:
    return [
        {
            "margin_key": ":".join(str(part or "") for part in (month, *key)),
            "month": month,
            "service_code": key[0],
            "account_key": key[1],
            "plan_code": _PLANS[str(key[0])] if key[2] else None,
            "metric_code": key[2],
            **_amounts(rows),
        }
        for key, rows in _grouped(3).items()
    ]


def accounts(month: dt.date) -> Rows:
    names = {"nexamaps:acct_1": "Fjord & Søn <Maps>"}
    return [
        {
            "month": month,
            "service_code": service,
            "account_key": account,
            "partner_name": names.get(account or "", account and f"Client of {service}"),
            **_amounts(rows),
        }
        for (service, account), rows in _grouped(2).items()
    ]


def services(month: dt.date) -> Rows:
    """This month's, and one of the month before: its revenue was 20.00 in nexacloud."""
    before = (month - dt.timedelta(days=1)).replace(day=1)
    rows: Rows = [
        {
            "month": month,
            "service_code": service,
            "accounts": 1,
            **(amounts := _amounts(rows)),
            "previous_revenue": D(20) if service == "nexacloud" else None,
            "revenue_change": D(str(amounts["revenue"])) - 20 if service == "nexacloud" else None,
            "previous_margin": D(15) if service == "nexacloud" else None,
            "margin_change": D(str(amounts["margin"])) - 15 if service == "nexacloud" else None,
        }
        for (service,), rows in _grouped(1).items()
    ]
    past = _amounts([(D("1.00"), D("19.00"), D("5.00"), D("1.00"), D("19.00"))])
    nothing = dict.fromkeys(
        ("previous_revenue", "revenue_change", "previous_margin", "margin_change")
    )
    return [
        *rows,
        {"month": before, "service_code": "nexacloud", "accounts": 1, **past, **nothing},
    ]


def rated(lines: Rows) -> Rows:
    """What the ledger's lines bill, and one line that its plan includes in full: 50 at 0.10."""
    sums: dict[object, dict[str, object]] = {}
    for line in lines:
        mine = sums.setdefault(
            line["rated_line_key"],
            {
                "line_key": line["rated_line_key"],
                **{k: line[k] for k in ("service_code", "account_key", "plan_code", "metric_code")},
                "period_end": line["period_end"],
                "quantity_included": D(0),
                "unit_price": line["unit_price"],
                "package_size": None,
                "amount": D(0),
                "currency": line["currency"],
            },
        )
        for name in ("quantity_included", "amount"):
            mine[name] = D(str(mine[name])) + D(str(line[name]))
    free = {
        "line_key": "free",
        "service_code": "nexacloud",
        **dict.fromkeys(("account_key", "plan_code", "metric_code")),
        "period_end": max(dt.date.fromisoformat(str(line["period_end"])) for line in lines),
        "quantity_included": D(50),
        "unit_price": D("0.10"),
        "package_size": None,
        "amount": D(0),
        "currency": "CAD",
    }
    # Two packages of 100 at 3.00 that the plan includes: worth 6.00.
    package = {**free, "line_key": "package", "quantity_included": D(200), "unit_price": D("3.00"),
               "package_size": D(100)}  # fmt: skip
    return [*sums.values(), free, package]


def staged(month: dt.date) -> dict[str, Rows]:
    """Costs as they came in and as they are borne, Odoo's invoices, and who earns too little. Each
    is of a day of its own."""
    day = month.replace(day=10)
    days = {key: month.replace(day=10 + at) for at, key in enumerate("abcde")}
    costs = [  # key, service, account, provider, sku, allocation, reason, quantity, amount, in CAD
        ("a", "nexamaps", "nexamaps:acct_1", "maps", "tiles", "direct", None, "9", "45", "60"),
        ("b", "nexadesk", "nexadesk:acct_1", "llm", "tokens", "shared", None, "2", "8", "8"),
        ("b", "nexadesk", "nexadesk:acct_2", "llm", "tokens", "shared", None, "1", "4.35", "4.35"),
        ("c", "nexacloud", "nexacloud:acct_1", "metal", "hours", "direct", None, "3", "7.41",
         "7.41"),
        ("d", "nexamaps", None, "maps", "geo", "unallocated", "no_driver", "1", "1.5", "2.004"),
        ("e", "nexamaps", None, "maps", "geo", "unallocated", "no_driver", "0", "0", "-0.004"),
    ]  # fmt: skip
    came_in = [  # key, service, account, provider, sku, quantity, amount, currency
        ("a", "nexamaps", "nexamaps:acct_1", "maps", "tiles", "9", "45", "USD"),
        ("b", "nexadesk", None, "llm", "tokens", "3", "12.35", "CAD"),
        ("c", "nexacloud", "nexacloud:acct_1", "metal", "hours", "3", "7.41", "CAD"),
        ("d", "nexamaps", None, "maps", "geo", "1", "1.5", "USD"),
        ("e", "nexamaps", None, "maps", "geo", "0", "0", "USD"),
    ]
    currencies = {key: currency for key, *_, currency in came_in}
    monthly = [  # service, account, metric, provider, sku, in CAD
        ("nexamaps", "nexamaps:acct_1", "map_loads", "maps", "tiles", "60.00"),
        ("nexadesk", "nexadesk:acct_1", "messages", "llm", "tokens", "12.35"),
        ("nexacloud", "nexacloud:acct_1", "compute_hours", "metal", "hours", "7.41"),
        ("nexamaps", None, None, "maps", "geo", "2.00"),
    ]
    invoices = [("out_invoice", 1, "150.00"), ("out_invoice", 2, "7.50"), ("out_refund", 1, "3.66")]
    return {
        "staging.stg_costs__provider_costs": [
            {
                "cost_key": key,
                "source": "fusion_api",
                "provider": provider,
                "sku": sku,
                "day": days[key],
                "service_code": service,
                "account_key": account,
                "quantity": D(quantity),
                "amount": D(amount),
                "currency": currency,
            }
            for key, service, account, provider, sku, quantity, amount, currency in came_in
        ],
        "marts.fct_cogs_daily": [
            {
                "cogs_key": f"{key}:{account}",
                "cost_key": key,
                "day": days[key],
                "cost_service_code": service,
                "service_code": service,
                "account_key": account,
                "metric_code": None,
                "provider": provider,
                "sku": sku,
                "allocation": allocation,
                "allocation_reason": reason,
                "quantity": D(quantity),
                "amount": D(amount),
                "currency": currencies[key],
                "amount_company": D(company),
            }
            for (
                key,
                service,
                account,
                provider,
                sku,
                allocation,
                reason,
                quantity,
                amount,
                company,
            ) in costs
        ],
        "marts.fct_cogs_monthly": [
            {
                "month": month,
                "cost_service_code": service,
                "service_code": service,
                "account_key": account,
                "plan_code": _PLANS[service] if metric else None,
                "metric_code": metric,
                "provider": provider,
                "sku": sku,
                "amount_company": D(amount),
            }
            for service, account, metric, provider, sku, amount in monthly
        ],
        "staging.stg_odoo__invoices": [
            {
                "move_type": kind,
                "invoice_state": state,
                "invoice_date": day,
                "odoo_currency_id": currency,
                "amount_untaxed": D(amount),
            }
            for kind, currency, amount in invoices
            for state in ("posted", "draft")
        ],
        "marts.rpt_margin_exceptions": [
            {
                "exception_key": f"{month}:{kind}",
                "month": month,
                "service_code": "nexamaps",
                "account_key": "nexamaps:acct_1",
                "partner_name": "Fjord & Søn <Maps>",
                "kind": kind,
                "revenue": D("53.60"),
                "cogs": D("60.00"),
                "margin": D("-6.40"),
                "margin_pct": D("-11.94"),
                "margin_floor_pct": D("20"),
            }
            for kind in ("below_floor", "negative_margin")
        ],
    }


def reconciliation(month: dt.date) -> Rows:
    """The maps' periods go from the 17th to the 17th, as those of `lines_of` do."""
    mid = (month - dt.timedelta(days=1)).replace(day=17)
    rows = [
        ("nexacloud:a", "cloud_s/compute_hours", month, "match", None, "2.59", "2.59"),
        ("nexamaps:c", "maps_growth/map_loads", mid, "not_compared", None, None, "5.40"),
        ("nexamaps:c", "maps_growth/geocodes", mid, "not_compared", None, None, "-0.80"),
        ("nexadesk:b", "desk_team/messages", month, "difference", "late_usage", "39.60", "40.80"),
        ("nexacloud:a", "cloud_s/storage_gb", month, "difference", "rounding", "0.61", "0.60"),
    ]
    return [
        {
            "reconciliation_key": f"{subscription}:{charge}:{start}",
            "service_code": subscription.split(":")[0],
            "account_key": f"{subscription.split(':')[0]}:acct_1",
            "subscription_key": subscription,
            "item_type": "charge",
            "metric_code": charge.split("/")[1],
            "charge_key": charge,
            "period_start": start,
            "period_end": (start + dt.timedelta(days=31)).replace(day=start.day),
            "phase": "live",
            "currency": "CAD",
            "app_quantity": D("130.5"),
            "platform_quantity": D("130.5"),
            "odoo_quantity": None,
            "app_amount": None if app is None else D(app),
            "platform_amount": D(platform),
            "odoo_amount": D(platform),
            "app_delta": None if app is None else D(app) - D(platform),
            "odoo_delta": D(0),
            "status": status,
            "reason": reason,
            "detail": "=1+1" if reason == "rounding" else None,
        }
        for subscription, charge, start, status, reason, app, platform in rows
    ]


def app_lines(month: dt.date) -> dict[str, Rows]:
    """What `reconciliation` compares, as the apps billed it."""
    rows = [row for row in reconciliation(month) if row["app_amount"] is not None]
    keys = ("subscription_key", "item_type", "metric_code", "period_start")
    return {
        "staging.stg_app_billing__lines": [
            {
                "app_line_key": row["reconciliation_key"],
                **{k: row[k] for k in ("item_type", "period_start", "period_end")},
                "amount": row["app_amount"],
                "is_billed": True,
            }
            for row in rows
        ],
        "intermediate.int_app_lines_placed": [
            {
                "app_line_key": row["reconciliation_key"],
                **{k: row[k] for k in keys},
                "app_period_end": row["period_end"],
                "amount": row["app_amount"],
            }
            for row in rows
        ],
    }


def conservation(month: dt.date) -> Rows:
    rows = [
        ("nexadesk", "messages", "billed", 30, "3300", 48, "4500"),
        ("nexadesk", "messages", "included", 10, "1000", 48, "4500"),
        ("nexadesk", "messages", "late", 5, "100", 48, "4500"),
        ("nexadesk", "messages", "unattributed", 3, "100", 48, "4500"),
        ("nexacloud", "compute_hours", "billed", 28, "30.5", 56, "130.5"),
        ("nexacloud", "compute_hours", "included", 28, "100", 56, "130.5"),
    ]
    return [
        {
            "service_code": service,
            "metric_code": metric,
            "month": month,
            "bucket": bucket,
            "counters": counters,
            "quantity": D(quantity),
            "raw_counters": raw_counters,
            "raw_quantity": D(raw),
            "counters_difference": 0,
            "quantity_difference": D(0),
        }
        for service, metric, bucket, counters, quantity, raw_counters, raw in rows
    ]
