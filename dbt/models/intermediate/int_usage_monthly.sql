-- In which month a fee's usage happened. Only of periods that touch more than one month; a charge
-- that stands at a level (recurring, weighted sum) is no more used on the days it changes.

with

placed as (
    select * from {{ ref('int_usage_placed') }}
    where
        verdict = 'rated'
        and {{ month_of('period_start') }} < {{ month_of('period_end - 1') }}
),

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
    where
        not recurring
        and aggregation <> 'weighted_sum'
),

final as (
    select
        placed.subscription_key,
        placed.charge_key,
        placed.group_key,
        placed.period_start,
        {{ month_of('placed.local_day') }} as month,
        -- A month whose corrections outweigh its usage has none of the fee.
        greatest(
            sum(
                case metrics.aggregation
                    when 'max' then placed.quantity_max
                    when 'last' then placed.quantity_last
                    when 'unique' then placed.counters
                    else placed.quantity_sum
                end
            ), 0
        ) as quantity
    from placed
    inner join metrics
        on placed.metric_code = metrics.metric_code
    group by 1, 2, 3, 4, 5
)

select * from final
