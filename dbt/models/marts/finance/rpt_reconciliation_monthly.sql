with

reconciled as (
    select * from {{ ref('fct_reconciliation') }}
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
        reconciled.is_explained,
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
        to_char(month, 'YYYY-MM') || ':' || service_code || ':' || outcome as report_key,
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
