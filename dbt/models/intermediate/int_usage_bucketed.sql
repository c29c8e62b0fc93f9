-- The road of fct_usage_conservation that walks back from the lines: of each subscription, metric,
-- period and month how many counters, and what quantity, stand in which bucket. What lies in no
-- period is told by its day.

with

placed as (
    {{ of_the_touched(ref('int_usage_placed'), 'rated_from') }}
),

rated_lines as (
    {{ periods_of_the_touched(ref('fct_rated_lines')) }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
),

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

adding_metrics as (
    select distinct metric_code
    from metrics
    where
        aggregation in ('sum', 'count')
        and not recurring
),

-- Not written down: to read it twice costs less.
days as not materialized (
    select
        placed.service_code,
        placed.external_subscription_id,
        placed.subscription_key,
        placed.metric_code,
        placed.local_day,
        placed.period_start,
        placed.charge_key,
        placed.odoo_charge_id,
        placed.group_key,
        placed.verdict,
        placed.is_late,
        placed.counters,
        placed.quantity_sum,
        adding_metrics.metric_code is not null as is_adding
    from placed
    left join adding_metrics
        on placed.metric_code = adding_metrics.metric_code
),

set_aside as (
    select
        service_code,
        external_subscription_id,
        metric_code,
        coalesce(period_start, local_day) as period_start,
        {{ month_of('local_day') }} as month,
        verdict as bucket,
        sum(counters) as counters,
        sum(case when is_adding then quantity_sum else counters end) as quantity
    from days
    where verdict <> 'rated'
    group by 1, 2, 3, 4, 5, 6
),

-- What a period was billed, numbered: days are told apart by one number and not by four texts.
fees as (
    select
        subscription_key,
        charge_key,
        group_key,
        period_start,
        row_number() over () as fee_number,
        sum(quantity_included) as quantity_included,
        sum(quantity_billed) as quantity_billed,
        sum(amount_precise) as amount_precise
    from rated_lines
    group by 1, 2, 3, 4
),

-- In the order in which the quota is used up, and so in the order that the sums below need. With
-- all that the split asks of a fee: joined after the sums, every day would be joined once more.
fee_days as (
    select
        fees.fee_number,
        days.local_day,
        fees.period_start,
        days.external_subscription_id,
        days.service_code,
        days.metric_code,
        days.is_adding,
        -- The whole quota, not what was taken of it: a correction may take less. What a percentage
        -- leaves free is known from its line alone.
        greatest(
            charges.quantity_included
            + case when charges.charge_model = 'package' then charges.free_units else 0 end,
            fees.quantity_included
        ) as quota,
        fees.quantity_billed > 0 as is_billed,
        case when fees.amount_precise = 0 then 'free' else 'billed' end as bucket_beyond,
        coalesce(sum(days.counters) filter (where not days.is_late), 0) as counters_in_time,
        coalesce(sum(days.quantity_sum) filter (where not days.is_late), 0)
            as quantity_in_time,
        coalesce(sum(days.counters) filter (where days.is_late), 0) as late_counters,
        coalesce(sum(days.quantity_sum) filter (where days.is_late), 0) as late_quantity
    from days
    inner join fees
        on
            days.subscription_key = fees.subscription_key
            and days.charge_key = fees.charge_key
            and days.group_key = fees.group_key
            and days.period_start = fees.period_start
    inner join charges
        on days.odoo_charge_id = charges.odoo_charge_id
    where days.verdict = 'rated'
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
),

running as (
    select
        *,
        sum(quantity_in_time) over (
            partition by fee_number order by local_day rows unbounded preceding
        ) as quantity_so_far
    from fee_days
),

-- The quota is used up first: what a day brings beyond it is billed, or free where all of it costs
-- nothing.
days_split as (
    select
        *,
        case
            when is_adding
                then
                    greatest(quantity_so_far - quota, 0)
                    - greatest(quantity_so_far - quantity_in_time - quota, 0)
            when is_billed then counters_in_time
            else 0
        end as beyond_quota
    from running
),

-- Summed once for all buckets.
split_sums as (
    select
        service_code,
        external_subscription_id,
        metric_code,
        period_start,
        {{ month_of('local_day') }} as month,
        bucket_beyond,
        sum(case when beyond_quota <> 0 then counters_in_time else 0 end) as counters_beyond,
        sum(beyond_quota) as quantity_beyond,
        sum(case when beyond_quota <> 0 then 0 else counters_in_time end) as counters_included,
        sum(
            case when is_adding then quantity_in_time else counters_in_time end - beyond_quota
        ) as quantity_included,
        sum(late_counters) as late_counters,
        sum(case when is_adding then late_quantity else late_counters end) as late_quantity
    from days_split
    group by 1, 2, 3, 4, 5, 6
),

buckets as (
    select
        split_sums.service_code,
        split_sums.external_subscription_id,
        split_sums.metric_code,
        split_sums.period_start,
        split_sums.month,
        split.bucket,
        split.counters,
        split.quantity
    from split_sums
    cross join
        lateral (
            values
            (split_sums.bucket_beyond, split_sums.counters_beyond, split_sums.quantity_beyond),
            ('included', split_sums.counters_included, split_sums.quantity_included),
            ('late', split_sums.late_counters, split_sums.late_quantity)
        )
            as split (bucket, counters, quantity)
    where
        split.counters <> 0
        or split.quantity <> 0

    union all

    select * from set_aside
),

final as (
    select
        service_code,
        external_subscription_id,
        metric_code,
        period_start,
        month,
        bucket,
        sum(counters)::bigint as counters,
        sum(quantity) as quantity
    from buckets
    group by 1, 2, 3, 4, 5, 6
)

select * from final
