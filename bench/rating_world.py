"""Subscriptions, a catalogue and millions of counters, made inside PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

COUNTERS_A_BATCH = 100_000
SERVICE = "nexacloud"


@dataclass(frozen=True)
class Windows:
    """When counters are of: the first window's start, and how long each is."""

    first: str
    length: str


# Ten million counters are four days of October, every fee of which is open: whatever comes in
# touches all there is. Or they are two hundred days, up to the same October.
WINDOWS = {
    "half-hours": Windows("2026-10-01 04:00+00", "30 minutes"),
    "days": Windows("2026-04-01 04:00+00", "24 hours"),
}

# One plan with a charge of each kind that a month of usage can be rated by.
_METRICS = """
insert into raw.odoo_metric (id, write_date, record)
select id, now(), jsonb_build_object(
    'id', id, 'x_name', code, 'x_code', code, 'x_aggregation', aggregation, 'x_unit', 'unit')
from (values
    (1, 'compute_hours', 'sum'), (2, 'api_calls', 'sum'), (3, 'storage_gb', 'max'),
    (4, 'messages', 'sum'), (5, 'seats', 'last')
) as metric (id, code, aggregation)
"""
_CHARGES = """
insert into raw.odoo_charge (id, write_date, record)
select id, now(), jsonb_build_object(
    'id', id, 'x_name', code, 'x_code', code, 'x_plan_code', 'cloud', 'x_metric_id', id,
    'x_charge_model', model, 'x_unit_price', price, 'x_included', included,
    'x_package_size', size, 'x_currency', 'CAD', 'x_product_id', 1)
from (values
    (1, 'compute_hours', 'standard', '0.085', '100', ''),
    (2, 'api_calls', 'graduated', '', '0', ''),
    (3, 'storage_gb', 'standard', '0.12', '20', ''),
    (4, 'messages', 'package', '1.50', '0', '1000'),
    (5, 'seats', 'standard', '4.25', '1', '')
) as charge (id, code, model, price, included, size)
"""
_TIERS = """
insert into raw.odoo_charge_tier (id, write_date, record)
select id, now(), jsonb_build_object(
    'id', id, 'x_charge_id', 2, 'x_from', starts, 'x_to', ends, 'x_unit_price', price,
    'x_flat_amount', '0')
from (values
    (1, '0', '1000', '0.01'), (2, '1000', '10000', '0.005'), (3, '10000', '', '0.002')
) as tier (id, starts, ends, price)
"""
_SUBSCRIPTIONS = """
insert into raw.odoo_subscription (id, write_date, record)
select n, now(), jsonb_build_object(
    'id', n, 'name', 'S' || n, 'state', 'sale', 'subscription_state', '3_progress',
    'x_fc_service_code', 'nexacloud', 'x_fc_external_id', 'sub_' || lpad((n - 1)::text, 6, '0'),
    'x_fc_external_account_id', 'acc_' || n, 'x_fc_plan_code', 'cloud',
    'x_fc_billing_time', 'calendar', 'partner_id', n, 'plan_id', 1,
    'start_date', '2026-01-01', 'end_date', false)
from generate_series(1, %(count)s) as n
"""
_PARTNERS = """
insert into raw.odoo_partner (id, write_date, record)
select n, now(), jsonb_build_object('id', n, 'name', 'Client ' || n)
from generate_series(1, %(count)s) as n
"""
_LINKS = """
insert into raw.odoo_account_link (id, write_date, record)
select n, now(), jsonb_build_object(
    'id', n, 'x_service_code', 'nexacloud', 'x_external_account_id', 'acc_' || n,
    'x_partner_id', n)
from generate_series(1, %(count)s) as n
"""
_PLAN = """
insert into raw.odoo_plan (id, write_date, record)
values (1, now(), '{"id": 1, "name": "Monthly", "billing_period_value": 1,
    "billing_period_unit": "month"}')
"""
# Counter n is of subscription n mod S and metric (n div S) mod 5; one window a round, so that what
# is added last is of the last days.
_COUNTERS = """
with batch as (
    insert into raw.ingest_batch (service_code, counters, duplicates)
    values ('nexacloud', %(last)s - %(first)s, 0)
    returning batch_id, received_at
)

insert into raw.usage_counter (service_code, external_subscription_id, transaction_id, batch_id,
    code, kind, window_start, window_end, value, properties, payload_hash, received_at)
select
    'nexacloud',
    'sub_' || lpad((n %% %(subscriptions)s)::text, 6, '0'),
    md5(%(kind)s || n::text),
    batch.batch_id,
    (array['compute_hours', 'api_calls', 'storage_gb', 'messages', 'seats'])
        [1 + (n / %(subscriptions)s) %% 5],
    'delta',
    %(starts)s::timestamptz + (n / %(subscriptions)s / 5) * %(length)s::interval,
    %(starts)s::timestamptz + (n / %(subscriptions)s / 5 + 1) * %(length)s::interval,
    (hashint8(n) & 65535)::numeric / 100,
    '{"region": "ca-tor"}',
    sha256(n::text::bytea),
    batch.received_at
from generate_series(%(first)s::bigint, %(last)s::bigint - 1) as n
cross join batch
"""


def make_catalogue(url: str) -> None:
    """A plan with five charges: standard, graduated, package; sum, maximum, last."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into ops.service (service_code, name) values (%s, 'Benchmark')", [SERVICE]
        )
        for statement in (_PLAN, _METRICS, _CHARGES, _TIERS):
            connection.execute(statement)


def make_subscriptions(url: str, count: int) -> None:
    """So many linked subscriptions, by the calendar month, in service since January."""
    with psycopg.connect(url) as connection:
        for statement in (_PARTNERS, _SUBSCRIPTIONS, _LINKS):
            connection.execute(statement, {"count": count})


def add_counters(
    url: str,
    count: int,
    subscriptions: int,
    *,
    first: int,
    kind: str = "",
    windows: Windows = WINDOWS["half-hours"],
) -> None:
    """Counters `first` to `first + count`, in batches that each commit. Of another `kind`: of the
    same windows once more, by other transaction ids."""
    with psycopg.connect(url, autocommit=True) as connection:
        for at in range(first, first + count, COUNTERS_A_BATCH):
            connection.execute(
                _COUNTERS,
                {
                    "first": at,
                    "last": min(at + COUNTERS_A_BATCH, first + count),
                    "subscriptions": subscriptions,
                    "kind": kind,
                    "starts": windows.first,
                    "length": windows.length,
                },
            )
        connection.execute("vacuum analyze raw.usage_counter")
        connection.execute("checkpoint")
