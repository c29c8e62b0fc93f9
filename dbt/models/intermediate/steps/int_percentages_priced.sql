-- A rate on the quantity and a fixed amount per transaction. Single transactions are walked, in
-- their order, only where some are free or each has a least or a highest price.

with

metered as (
    select * from {{ ref('int_charges_metered') }}
    where charge_model = 'percentage'
),

fees as (
    select
        *,
        rate * 0.01 as fraction,
        coalesce(free_events, 0) as events_free,
        coalesce(free_amount, 0) as amount_free,
        transaction_min is not null or transaction_max is not null as is_limited
    from metered
),

transactions as (
    select
        fees.fee_key,
        fees.quota,
        single.quantity,
        single.transaction_no,
        sum(single.quantity)
            over (partition by fees.fee_key order by single.transaction_no)
            as running_total
    from fees
    cross join
        lateral unnest(fees.event_values) with ordinality as single (quantity, transaction_no)
),

-- The quota is used up first: transactions that lie within it are not charged, and the one that
-- goes beyond it counts from there on.
measured as (
    select
        *,
        quota = 0 or coalesce(
            max(running_total) over (
                partition by fee_key
                order by transaction_no
                rows between unbounded preceding and 1 preceding
            ) > quota,
            false
        ) as quota_is_used_up
    from transactions
),

beyond_quota as (
    select
        fee_key,
        transaction_no,
        case when quota_is_used_up then quantity else running_total - quota end as quantity
    from measured
    where quota_is_used_up or running_total > quota
),

numbered as (
    select
        fee_key,
        quantity,
        row_number() over in_order as transaction_no,
        sum(quantity) over in_order as running_total
    from beyond_quota
    window in_order as (partition by fee_key order by transaction_no)
),

walked as (
    select
        fees.fee_key,
        fees.fraction,
        fees.fixed_amount,
        fees.transaction_min,
        fees.transaction_max,
        fees.events_free,
        fees.amount_free,
        numbered.quantity,
        numbered.transaction_no,
        numbered.running_total,
        max(numbered.running_total) over (
            partition by fees.fee_key
            order by numbered.transaction_no
            rows between unbounded preceding and 1 preceding
        ) as highest_before
    from numbered
    inner join fees
        on numbered.fee_key = fees.fee_key
),

-- With limits, a free amount outlasts free events. It ends for good with the transaction that takes
-- the running total to it, and that one is charged for what lies beyond.
freed as (
    select
        *,
        case
            when amount_free = 0
                then case when transaction_no > events_free then quantity end
            when highest_before >= amount_free then quantity
            when running_total >= amount_free then running_total - amount_free
        end as quantity_charged,
        -- Without limits, free events count as far as their number; a free amount as far as the
        -- first transaction that goes beyond it.
        case
            when events_free > 0 then transaction_no <= events_free
            else amount_free > 0 and coalesce(highest_before <= amount_free, true)
        end as may_be_free
    from walked
),

by_transaction as (
    select
        fee_key,
        count(*) as transactions,
        coalesce(sum(quantity_charged), 0) as quantity_charged,
        coalesce(
            sum(
                least(
                    greatest(quantity_charged * fraction + fixed_amount, transaction_min),
                    transaction_max
                )
            ) filter (where quantity_charged is not null),
            0
        ) as amount_charged,
        (array_agg(running_total order by transaction_no desc) filter (where may_be_free))[1]
            as last_total,
        count(*) filter (where may_be_free and running_total < amount_free) as events_below
    from freed
    group by fee_key
),

-- What is free, without limits: the fewer of both kinds of free events, and as many units as the
-- running total, or the free amount, comes to.
allowed as (
    select
        fees.*,
        coalesce(by_transaction.quantity_charged, 0) as quantity_charged,
        coalesce(by_transaction.amount_charged, 0) as amount_charged,
        case
            when fees.amount_free = 0 then coalesce(by_transaction.last_total, 0)
            else least(coalesce(by_transaction.last_total, 0), fees.amount_free)
        end as units_free,
        coalesce(by_transaction.transactions, fees.events_count) as events,
        coalesce(
            least(nullif(fees.events_free, 0), nullif(by_transaction.events_below, 0)), 0
        ) as events_allowed
    from fees
    left join by_transaction
        on fees.fee_key = by_transaction.fee_key
),

priced as (
    select
        *,
        case
            when is_limited then least(greatest(quantity_charged, 0), units_billed)
            else least(greatest(units_billed - units_free, 0), units_billed)
        end as quantity_billed,
        case
            when is_limited then amount_charged
            when units_billed = 0 then 0
            else
                greatest(units_billed - units_free, 0) * fraction
                + greatest(events - events_allowed, 0) * fixed_amount
        end as amount_precise
    from allowed
),

final as (
    select
        fee_key,
        1 as tier,
        units as quantity_used,
        greatest(units, 0) - quantity_billed as quantity_included,
        quantity_billed,
        trim_scale(fraction) as unit_price,
        null::numeric as package_size,
        -- Whatever the rate does not explain: fixed amounts, and what the limits add or take.
        trim_scale(amount_precise - quantity_billed * fraction) as flat_amount,
        trim_scale(amount_precise) as amount_precise
    from priced
)

select * from final
