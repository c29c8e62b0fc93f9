-- What opens the gate of the cutover. By phase, because a phase begins on a period's first day,
-- and a month is that of the period's last: while a phase begins, a month may have periods of two.
-- And by the phase's first day, because a service may come to a phase again: each stay in it counts
-- its own months.
--
-- Odoo bills no base fee of a period in shadow, so that the app's has nothing to be compared with:
-- it is counted apart, or no service with plan fees would ever leave the shadow.
--
-- Not from fct_reconciliation: dbt skips what is downstream of a test that fails, and the gate
-- would go by the figures of before an unexplained difference.

with

reconciled as (
    select * from {{ ref('int_reconciliation_reasoned') }}
),

decisions as (
    select * from {{ ref('stg_ops__cutover') }}
),

judged as (
    select
        service_code,
        date_trunc('month', coalesce(period_end - 1, period_start))::date as month,
        item_type,
        status,
        reason,
        currency,
        {{ phase_of('reconciled.service_code', 'reconciled.period_start') }} as phase,
        {{ phase_since('reconciled.service_code', 'reconciled.period_start') }} as phase_since,
        coalesce(reason = 'unexplained', false) as is_unexplained,
        greatest(abs(coalesce(app_delta, 0)), abs(coalesce(odoo_delta, 0))) as difference
    from reconciled
    where
        service_code is not null
        and period_start is not null
),

-- Amounts of two currencies have no sum.
summed as (
    select
        *,
        item_type = 'base_fee' and phase = 'shadow' and status = 'not_compared'
            as is_base_fee_apart,
        sum(difference) filter (where is_unexplained)
            over (partition by service_code, month, phase, phase_since, currency)
            as unexplained_in_currency
    from judged
),

reasons as (
    select
        service_code,
        month,
        phase,
        phase_since,
        jsonb_object_agg(reason, lines) as by_reason
    from (
        select
            service_code,
            month,
            phase,
            phase_since,
            reason,
            count(*) as lines
        from judged
        where reason is not null
        group by 1, 2, 3, 4, 5
    ) as counted
    group by 1, 2, 3, 4
),

months as (
    select
        service_code,
        month,
        phase,
        phase_since,
        count(*) filter (where not is_base_fee_apart) as lines,
        count(*) filter (where status <> 'not_compared') as compared,
        count(*) filter (where status = 'match') as matched,
        count(*) filter (where status = 'difference' and not is_unexplained) as explained,
        count(*) filter (where is_unexplained) as unexplained,
        count(*) filter (where status = 'not_compared' and not is_base_fee_apart) as not_compared,
        count(*) filter (where is_base_fee_apart) as base_fees_in_shadow,
        round(100 * coalesce(max(unexplained_in_currency), 0))::bigint as unexplained_cents
    from summed
    group by 1, 2, 3, 4
),

final as (
    select
        months.service_code || ':' || to_char(months.month, 'YYYY-MM-DD') || ':' || months.phase
        || coalesce(':' || to_char(months.phase_since, 'YYYY-MM-DD'), '') as parity_key,
        months.service_code,
        months.month,
        months.phase,
        months.phase_since,
        months.lines,
        months.compared,
        months.matched,
        months.explained,
        months.unexplained,
        months.not_compared,
        months.base_fees_in_shadow,
        round(100.0 * months.matched / nullif(months.compared, 0), 2) as matched_pct,
        round(100.0 * (months.matched + months.explained) / nullif(months.compared, 0), 2)
            as explained_pct,
        months.unexplained_cents,
        coalesce(reasons.by_reason, '{}') as by_reason
    from months
    left join reasons
        on
            months.service_code = reasons.service_code
            and months.month = reasons.month
            and months.phase = reasons.phase
            and months.phase_since is not distinct from reasons.phase_since
)

select * from final
