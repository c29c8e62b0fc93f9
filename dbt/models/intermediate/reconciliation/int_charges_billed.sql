-- The ledger's total per subscription, charge and period, beside what it said before late usage.

with

billed as (
    select * from {{ ref('stg_ops__billed_lines') }}
),

final as (
    select
        service_code,
        subscription_key,
        plan_code,
        {{ charge_as_a_whole('charge_key', 'plan_code') }} as charge_key,
        period_start,
        -- An adjustment may name another metric or account, or a shorter period, than the line it
        -- adjusts.
        (array_agg(metric_code order by billed_at desc, adjustment_no desc))[1] as metric_code,
        (array_agg(currency order by billed_at desc, adjustment_no desc))[1] as currency,
        (array_agg(account_key order by billed_at desc, adjustment_no desc))[1] as account_key,
        (array_agg(period_end order by billed_at desc, adjustment_no desc))[1] as period_end,
        sum(quantity_billed) as quantity,
        sum(quantity_used) as quantity_used,
        sum(amount) as amount,
        coalesce(sum(quantity_billed) filter (where reason <> 'late_usage'), 0)
            as quantity_in_time,
        coalesce(sum(quantity_used) filter (where reason <> 'late_usage'), 0)
            as quantity_used_in_time,
        coalesce(sum(amount) filter (where reason <> 'late_usage'), 0) as amount_in_time,
        bool_or(reason = 'late_usage') as has_late_usage
    from billed
    group by 1, 2, 3, 4, 5
)

select * from final
