"""The yardsticks' SQL: the same rated lines by one DuckDB query, and Lago's queries one by one."""

from __future__ import annotations

COUNTERS = """
select
    external_subscription_id as subscription,
    code,
    (window_start at time zone 'America/Toronto')::date as local_day,
    window_start,
    window_end,
    received_at,
    transaction_id,
    revision,
    value::text as value
from raw.usage_counter
"""

# Revisions are looked at as the platform does; prices are those of rating_world.
DUCKDB = """
with counters as (
    select
        subscription, code, date_trunc('month', local_day) as period_start, window_end,
        received_at, transaction_id, value::decimal(18, 2) as value
    from (
        select *, max(revision) over (
            partition by subscription, code, window_start, window_end
        ) as highest
        from read_parquet('{path}')
    )
    where revision = highest
),

units as (
    select
        subscription, code, period_start,
        case
            when code = 'storage_gb' then max(value)
            when code = 'seats' then arg_max(value, (window_end, received_at, transaction_id))
            else sum(value)
        end::decimal(24, 2) as units
    from counters
    group by 1, 2, 3
),

priced as (
    select
        code,
        round(case code
            when 'compute_hours' then greatest(units - 100, 0) * 0.085
            when 'storage_gb' then greatest(units - 20, 0) * 0.12
            when 'seats' then greatest(units - 1, 0) * 4.25
            when 'messages' then ceil(units / 1000)::decimal(24, 0) * 1.50
            when 'api_calls' then least(units, 1000) * 0.01
                + greatest(least(units, 10000) - 1000, 0) * 0.005
                + greatest(units - 10000, 0) * 0.002
        end, 2) as amount
    from units
)

select code, sum(amount)::varchar from priced group by 1 order by 1
"""

OURS = """
select metric_code, sum(amount) from marts.fct_rated_lines group by 1 order by 1
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
