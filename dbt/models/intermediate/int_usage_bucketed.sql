-- The road of fct_usage_conservation that walks back from the lines: of each subscription, metric,
-- period and month how many counters, and what quantity, stand in which bucket. What lies in no
-- period is told by its day.

with

-- Not written down: to read it twice costs less.
placed as not materialized (
    {{ of_the_touched(ref('int_usage_placed'), 'rated_from') }}
),

rated_lines as (
    {{ periods_of_the_touched(ref('fct_rated_lines')) }}
),

touched as (
    select * from {{ ref('int_subscriptions_touched') }}
),

priced as (
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

-- What a percentage leaves free is known from its line alone.
charges as materialized (
    select
        priced.odoo_charge_id,
        priced.charge_key,
        priced.metric_code,
        adding_metrics.metric_code is not null as is_adding,
        priced.quantity_included
        + case when priced.charge_model = 'package' then priced.free_units else 0 end as quota,
        adding_metrics.metric_code is not null
        and (
            priced.quantity_included > 0
            or (priced.charge_model = 'package' and priced.free_units > 0)
            or priced.charge_model = 'percentage'
        ) as has_quota
    from priced
    left join adding_metrics
        on priced.metric_code = adding_metrics.metric_code
),

set_aside as (
    select
        placed.service_code,
        placed.external_subscription_id,
        placed.metric_code,
        coalesce(placed.period_start, placed.local_day) as period_start,
        {{ month_of('placed.local_day') }} as month,
        placed.verdict as bucket,
        sum(placed.counters) as counters,
        sum(
            case
                when adding_metrics.metric_code is null then placed.counters
                else placed.quantity_sum
            end
        ) as quantity
    from placed
    inner join touched
        on
            placed.service_code = touched.service_code
            and placed.external_subscription_id = touched.external_subscription_id
            and placed.local_day >= touched.rated_from
    left join adding_metrics
        on placed.metric_code = adding_metrics.metric_code
    where placed.verdict <> 'rated'
    group by 1, 2, 3, 4, 5, 6
),

-- What a period was billed, numbered: days are put in order by one number and not by four texts.
fees as materialized (
    select
        subscription_key,
        charge_key,
        group_key,
        period_start,
        row_number() over () as fee_number,
        sum(quantity_included) as quantity_included,
        sum(quantity_billed) > 0 as is_billed,
        sum(amount_precise) = 0 as is_free
    from rated_lines
    group by 1, 2, 3, 4
),

-- The days over which a quota is used up; where there is none to use up, their month.
charge_days as (
    select
        placed.subscription_key,
        placed.period_start,
        placed.odoo_charge_id,
        placed.group_key,
        case
            when charges.has_quota then placed.local_day
            else {{ month_of('placed.local_day') }}
        end as day,
        coalesce(sum(placed.counters) filter (where not placed.is_late), 0) as counters_in_time,
        coalesce(sum(placed.quantity_sum) filter (where not placed.is_late), 0)
            as quantity_in_time,
        coalesce(sum(placed.counters) filter (where placed.is_late), 0) as late_counters,
        coalesce(sum(placed.quantity_sum) filter (where placed.is_late), 0) as late_quantity
    from placed
    inner join charges
        on placed.odoo_charge_id = charges.odoo_charge_id
    where placed.verdict = 'rated'
    group by 1, 2, 3, 4, 5
),

-- The whole quota, not what was taken of it: a correction may take less.
fee_days as (
    select
        fees.fee_number,
        fees.is_billed,
        charges.metric_code,
        charges.is_adding,
        charge_days.day,
        charge_days.counters_in_time,
        charge_days.quantity_in_time,
        charge_days.late_counters,
        charge_days.late_quantity,
        greatest(charges.quota, fees.quantity_included) as quota
    from charge_days
    inner join charges
        on charge_days.odoo_charge_id = charges.odoo_charge_id
    inner join fees
        on
            charge_days.subscription_key = fees.subscription_key
            and charges.charge_key = fees.charge_key
            and charge_days.group_key = fees.group_key
            and charge_days.period_start = fees.period_start
),

running as (
    select
        *,
        sum(quantity_in_time) over (
            partition by fee_number order by day rows unbounded preceding
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
        fee_number,
        metric_code,
        {{ month_of('day') }} as month,
        sum(case when beyond_quota <> 0 then counters_in_time else 0 end) as counters_beyond,
        sum(beyond_quota) as quantity_beyond,
        sum(case when beyond_quota <> 0 then 0 else counters_in_time end) as counters_included,
        sum(
            case when is_adding then quantity_in_time else counters_in_time end - beyond_quota
        ) as quantity_included,
        sum(late_counters) as late_counters,
        sum(case when is_adding then late_quantity else late_counters end) as late_quantity
    from days_split
    group by 1, 2, 3
),

buckets as (
    select
        touched.service_code,
        touched.external_subscription_id,
        split_sums.metric_code,
        fees.period_start,
        split_sums.month,
        split.bucket,
        split.counters,
        split.quantity
    from split_sums
    inner join fees
        on split_sums.fee_number = fees.fee_number
    inner join touched
        on fees.subscription_key = touched.subscription_key
    cross join
        lateral (
            values
            (
                case when fees.is_free then 'free' else 'billed' end,
                split_sums.counters_beyond,
                split_sums.quantity_beyond
            ),
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
