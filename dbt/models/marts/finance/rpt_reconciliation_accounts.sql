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
        reconciled.account_key,
        reconciled.status,
        coalesce(reconciled.reason <> 'unexplained', true) as is_explained,
        reconciled.reason,
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
        coalesce(to_char(month, 'YYYY-MM'), 'undated')
        || ':' || coalesce(account_key, service_code || ':')
            as report_key,
        month,
        service_code,
        account_key,
        count(*) filter (where status = 'match') as matched,
        count(*) filter (where status = 'difference') as differences,
        count(*) filter (where not is_explained) as unexplained,
        count(*) filter (where status = 'not_compared') as not_compared,
        string_agg(distinct reason, ', ' order by reason) as reasons,
        {{ reconciliation_sums() }}
    from aged
    group by month, service_code, account_key
)

select * from final
