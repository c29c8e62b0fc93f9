"""The yardsticks' SQL: the same rated lines by one DuckDB query, and Lago's queries one by one."""

from __future__ import annotations

COUNTERS = """
select
    service_code,
    external_subscription_id,
    transaction_id,
    code,
    kind,
    window_start,
    window_end,
    value::text as value,
    revision,
    received_at
from raw.usage_counter
"""

# What one would write by hand who knows that the values have two digits, that all counters are
# deltas and periods calendar months, and that all subscriptions are on one plan: highest
# revision, local month, aggregate, quota, tiers, one rounding a fee. Written into a table, as ours.
DUCKDB = """
create or replace table rated_lines as
with counted as (
    select
        external_subscription_id as subscription,
        code,
        date_trunc('month', timezone('America/Toronto', window_start))::date as period_start,
        window_end,
        received_at,
        transaction_id,
        value
    from (
        select *, max(revision) over (
            partition by external_subscription_id, code, window_start, window_end
        ) as highest
        from read_parquet('{path}')
    )
    where revision = highest
),

usage as (
    select
        subscription,
        code,
        period_start,
        case
            when code = 'storage_gb' then max(value)
            when code = 'seats' then arg_max(value, (window_end, received_at, transaction_id))
            else sum(value)
        end::decimal(24, 2) as units
    from counted
    group by 1, 2, 3
),

charges (code, model, unit_price, included, package_size) as (
    values
        ('compute_hours', 'standard', 0.085, 100, null),
        ('storage_gb', 'standard', 0.12, 20, null),
        ('seats', 'standard', 4.25, 1, null),
        ('messages', 'package', 1.50, 0, 1000)
),

tiers (tier, above, up_to, unit_price) as (
    values (1, 0, 1000, 0.01), (2, 1000, 10000, 0.005), (3, 10000, null, 0.002)
),

plain as (
    select
        subscription, code, period_start, 1 as tier,
        units as quantity_used,
        least(units, included) as quantity_included,
        greatest(units - included, 0)::decimal(24, 2) as quantity_billed,
        unit_price::decimal(12, 4) as unit_price,
        case model
            when 'standard' then greatest(units - included, 0) * unit_price
            else ceil(units / package_size)::decimal(24, 0) * unit_price
        end::decimal(38, 6) as amount_precise
    from usage
    inner join charges using (code)
),

tiered as (
    select
        subscription, code, period_start, tier,
        least(units, coalesce(up_to, units)) - above as quantity_used,
        0 as quantity_included,
        (least(units, coalesce(up_to, units)) - above)::decimal(24, 2) as quantity_billed,
        unit_price::decimal(12, 4) as unit_price,
        ((least(units, coalesce(up_to, units)) - above) * unit_price)::decimal(38, 6)
            as amount_precise
    from usage
    inner join tiers on tier = 1 or units > above
    where code = 'api_calls'
),

lines as (
    select * from plain union all select * from tiered
),

summed as (
    select
        *,
        sum(amount_precise) over (
            partition by subscription, code, period_start order by tier
        )::decimal(38, 6) as fee_so_far
    from lines
)

select
    * exclude (fee_so_far),
    round(fee_so_far, 2) - round(fee_so_far - amount_precise, 2) as amount
from summed
"""
DUCKDB_LINES = """
select subscription, code, period_start, tier, quantity_used, quantity_included, quantity_billed,
    unit_price, amount_precise, amount
from rated_lines order by 1, 2, 3, 4
"""

OURS = """
select split_part(subscription_key, ':', 2), metric_code, period_start, tier, quantity_used,
    quantity_included, quantity_billed, unit_price, amount_precise, amount
from marts.fct_rated_lines
order by subscription_key collate "C", metric_code collate "C", period_start, tier
"""

# Lago's table of events and its index for billing (facts: names of columns and of the index).
LAGO_EVENTS = """
create schema lago;
create table lago.events as
select
    gen_random_uuid() as id, 1 as organization_id, external_subscription_id, code,
    window_start::timestamp as timestamp, received_at as created_at,
    jsonb_build_object('value', value) as properties, null::timestamp as deleted_at
from raw.usage_counter;
create index on lago.events (external_subscription_id, organization_id, code, timestamp)
    include (properties) where deleted_at is null;
"""
_OF_PERIOD = """
from lago.events
where external_subscription_id = %(sub)s and organization_id = 1 and code = %(code)s
    and deleted_at is null
    and timestamp >= '2026-10-01 04:00' and timestamp <= '2026-11-01 03:59:59.999'
    and properties ->> 'value' ~ '^-?\\d+(\\.\\d+)?$'
"""
LAGO_CODES = """
select distinct code
from lago.events
where external_subscription_id = %(sub)s and organization_id = 1 and deleted_at is null
    and timestamp >= '2026-10-01 04:00' and timestamp <= '2026-11-01 03:59:59.999'
"""
_COUNT = "select count(*)" + _OF_PERIOD
_SUM = "select sum((properties ->> 'value')::numeric)" + _OF_PERIOD
_MAX = "select max((properties ->> 'value')::numeric)" + _OF_PERIOD
_LATEST = (
    "select (properties ->> 'value')::numeric"
    + _OF_PERIOD
    + " order by timestamp desc, created_at desc limit 1"
)
LAGO_QUERIES = {
    "compute_hours": (_SUM, _COUNT),
    "api_calls": (_SUM, _COUNT),
    "messages": (_SUM, _COUNT),
    "storage_gb": (_MAX, _COUNT),
    "seats": (_LATEST, _COUNT),
}
# What turns counters into days; the rest of a build is rating.
ROLL_UPS = frozenset(("int_usage_daily", "int_usage_events"))
