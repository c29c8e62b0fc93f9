"""Every singular test of dbt/tests fails where what it guards is broken."""

from __future__ import annotations

from pathlib import Path

import psycopg
from dbt_process import run_dbt

from warehouse.dbt_project import DBT_PROJECT

# What no run of the platform can write: each line breaks what the tests beside it guard.
BROKEN = """
    -- assert_charges_are_in_the_company_currency
    insert into raw.odoo_charge (id, write_date, record) values (
        1, '2026-09-01T00:00Z', '{"x_code": "messages", "x_plan_code": "desk", "x_currency": "USD"}'
    );

    -- assert_tiers_reach_every_quantity
    insert into raw.odoo_charge (id, write_date, record) values (
        2, '2026-09-01T00:00Z',
        '{"x_code": "agents", "x_plan_code": "desk", "x_currency": "CAD",
          "x_charge_model": "graduated"}'
    );

    -- assert_the_catalogue_can_be_read: a comma for a point
    insert into raw.odoo_charge (id, write_date, record) values (
        6, '2026-09-01T00:00Z',
        '{"x_code": "typed", "x_plan_code": "desk", "x_currency": "CAD",
          "x_charge_model": "standard", "x_unit_price": "0,05"}'
    );

    -- assert_a_metric_has_one_charge_in_a_plan, assert_charge_versions_do_not_overlap
    insert into intermediate.int_charges_priced (
        odoo_charge_id, charge_key, plan_code, metric_code, charge_code
    ) values
        (3, 'desk/a', 'desk', 'messages', 'a'),
        (4, 'desk/a', 'desk', 'messages', 'a'),
        (5, 'desk/b', 'desk', 'messages', 'b');

    -- assert_a_metric_tells_few_properties_apart
    insert into intermediate.int_metrics_defined (metric_code, dimension_keys)
    values ('messages', (select array_agg(n::text) from generate_series(1, 33) as n));

    -- assert_pauses_can_be_read
    insert into intermediate.int_pauses_read (odoo_order_id, span_number, span, is_readable)
    values (1, 1, 'in July', false);

    -- assert_periods_tile_the_service: a day between two periods
    insert into intermediate.int_subscription_segments (
        subscription_key, segment_no, segment_start
    ) values ('nexadesk:s1', 1, '2026-08-01');
    insert into intermediate.int_subscription_periods (
        subscription_key, segment_no, period_start, period_end
    ) values
        ('nexadesk:s1', 1, '2026-08-01', '2026-09-01'),
        ('nexadesk:s1', 1, '2026-09-02', '2026-10-01');

    -- assert_every_counter_names_a_batch
    insert into raw.usage_counter (
        service_code, external_subscription_id, transaction_id, batch_id, code, kind,
        window_start, window_end, value, payload_hash
    ) values (
        'nexadesk', 's1', 't1', 999, 'messages', 'delta',
        '2026-09-03T14:00Z', '2026-09-03T15:00Z', 10, '\\x00'
    );

    -- assert_no_batch_is_from_another_server: written by a transaction that has yet to begin
    insert into raw.ingest_batch (xid, counters) values ('4611686018427387904', 0);

    -- assert_every_taken_counter_is_judged_once, assert_rated_counters_lie_in_one_period,
    -- assert_daily_usage_and_what_is_set_aside_are_all_counters
    insert into intermediate.int_usage_placed (
        service_code, external_subscription_id, subscription_key, metric_code, local_day,
        period_start, verdict, verdict_reason, counters
    ) values (
        'nexadesk', 's1', 'nexadesk:s1', 'messages', '2026-09-03', '2026-09-01', 'rated', 'rated', 1
    );

    -- assert_rated_usage_is_the_sum_of_its_days
    insert into intermediate.int_charges_priced (
        odoo_charge_id, charge_key, aggregation, recurring
    ) values (1, 'desk_team/messages', 'sum', false);
    insert into intermediate.int_usage_placed (
        subscription_key, charge_key, odoo_charge_id, period_start, verdict, quantity_sum
    ) values ('nexadesk:s1', 'desk_team/messages', 1, '2026-09-01', 'rated', 10);

    -- assert_every_fee_is_rated: a charge whose tiers are gone
    insert into intermediate.int_charges_metered (fee_key, charge_model, units)
    values ('nexadesk:s1:desk_team/messages:2026-09-01', 'graduated', 10);

    -- assert_usage_that_was_priced_has_lines
    insert into intermediate.int_charge_usage (
        subscription_key, charge_key, group_key, period_start
    ) values ('nexadesk:s1', 'desk_team/messages', '', '2026-07-01');

    -- assert_adjustments_are_numbered_without_gap, assert_nobody_is_credited_more_than_billed,
    -- assert_reconciliation_holds_the_whole_ledger
    insert into marts.fct_billed_lines (
        line_key, rated_line_key, adjustment_no, subscription_key, currency, amount, quantity_billed
    ) values ('k~2', 'k', 2, 'nexadesk:s1', 'CAD', -5, -10);

    -- assert_every_record_is_read_once, assert_dimensions_hold_every_record: the price of desk/b
    -- stands in no dimension
    alter view staging.stg_ops__services rename to services_but_one;
    create view staging.stg_ops__services as
    select * from staging.services_but_one where service_code <> 'nexadesk';
    insert into ops.service (service_code, name) values ('nexadesk', 'NexaDesk');

    -- assert_no_cost_is_dropped: a cost that no mart has
    insert into raw.provider_cost (
        source, cost_key, provider, sku, day, service_code, quantity, amount, currency, file
    ) values ('fusion_api', 'c', 'ovh', 'rack', '2026-09-03', 'nexadesk', 1, 5, 'CAD', 'c.csv');

    -- assert_allocated_cost_is_the_cost, assert_monthly_cost_is_the_rounded_cost: more than it cost
    insert into marts.fct_cogs_daily (cost_key, day, provider, sku, amount_company)
    values ('c', '2026-09-03', 'ovh', 'rack', 5);

    -- assert_margin_holds_all_cost
    insert into marts.fct_cogs_monthly (month, service_code, amount_company)
    values ('2026-09-01', 'nexadesk', 5);

    -- assert_invoiced_revenue_is_odoos_invoices: posted since the margin was built
    insert into raw.odoo_currency (id, write_date, record)
    values (4, '2026-09-01T00:00Z', '{"name": "CAD"}');
    insert into raw.odoo_invoice (id, write_date, record) values (
        1, '2026-09-01T00:00Z',
        '{"state": "posted", "move_type": "out_invoice", "invoice_date": "2026-09-01",
          "currency_id": 4, "amount_untaxed": 29}'
    );

    -- assert_accrued_usage_is_what_is_rated
    insert into intermediate.int_revenue_rated (service_code, currency, amount)
    values ('nexadesk', 'CAD', 5);

    -- assert_accrued_base_is_what_is_invoiced, assert_margin_holds_all_revenue
    insert into intermediate.int_revenue_invoiced (invoiced_key, month, kind, amount_company)
    values ('1', '2026-09-01', 'base', 29);
"""


def test_every_invariant_notices_when_it_is_broken(database_url: str, tmp_path: Path) -> None:
    steps = ("--vars", "{steps: table}")  # so that a row can be put into one of them
    untested = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
    built = run_dbt(database_url, tmp_path, "build", *untested, *steps)
    assert built.exit_status == 0, built.output
    with psycopg.connect(database_url) as connection:
        connection.execute(BROKEN)
    checked = run_dbt(database_url, tmp_path, "test", "--select", "test_type:singular", *steps)
    outcome = {
        result["unique_id"].split(".")[2]: (result["status"], result["message"])
        for result in checked.results
    }
    assert set(outcome) == {path.stem for path in (DBT_PROJECT / "tests").glob("*.sql")}
    quiet = {name: said for name, said in outcome.items() if said[0] != "fail"}
    # Says so, and lets the bills go out.
    assert quiet.pop("assert_pauses_can_be_read")[0] == "warn"
    assert quiet == {}
