-- Not from fct_reconciliation: dbt skips what is downstream of a test that fails, and what is
-- unexplained is to be read here.

with

reconciled as (
    select * from {{ ref('int_reconciliation_reasoned') }}
),

history as (
    select * from {{ ref('fct_reconciliation_history') }}
    where is_standing
),

aged as (
    select
        {{ month_of_period('reconciled') }} as month,
        reconciled.service_code,
        reconciled.status,
        coalesce(reconciled.reason, reconciled.status) as outcome,
        coalesce(reconciled.reason <> 'unexplained', true) as is_explained,
        reconciled.app_amount,
        reconciled.platform_amount,
        reconciled.odoo_amount,
        reconciled.delta,
        history.ageing,
        history.first_seen_at
    from reconciled
    left join history
        on reconciled.reconciliation_key = history.reconciliation_key
),

final as (
    select
        coalesce(to_char(month, 'YYYY-MM'), 'undated') || ':' || service_code || ':' || outcome
            as report_key,
        month,
        service_code,
        status,
        outcome,
        bool_and(is_explained) as is_explained,
        {{ reconciliation_sums() }}
    from aged
    group by month, service_code, status, outcome
)

select * from final
