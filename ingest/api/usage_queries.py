"""The SQL behind current and past usage: one subscription's, one service's.

Current usage of a plain charge (standard, no variants, no groups; sum, count, maximum, last,
unique) is folded from raw at every request, over the period that holds the asked day, by the rules
of the rating's models. Adding what came in since the last build to a finished quantity would have
to undo what a revision supersedes, find a meter's reading before, and know a unique count's
members: for one subscription the whole fold is simpler, and a test holds it against the marts.
Every other charge is told as the last build rated it: its arithmetic stands in dbt alone.
"""

from __future__ import annotations

CUSTOMER = """
select exists (
    select from marts.dim_account where service_code = $1 and external_account_id = $2
)
"""

# $1 service, $2 customer, $3 subscription, $4 day, $5 time zone. One row where the subscription is
# active on the day: as int_subscription_periods, but not bounded by the last counter's day.
ACTIVE_PERIOD = """
with

anchored as (
    select
        plan_code,
        segment_start,
        end_date,
        case
            when billing_time = 'anniversary' then start_date
            when
                billing_period_unit = 'month'
                and (12 % billing_period_value = 0 or billing_period_value % 12 = 0)
                then date_trunc('year', start_date)::date
            else date_trunc(billing_period_unit, start_date)::date
        end as anchor,
        case billing_period_unit
            when 'week' then make_interval(weeks => billing_period_value)
            when 'month' then make_interval(months => billing_period_value)
            when 'year' then make_interval(years => billing_period_value)
        end as step,
        case billing_period_unit when 'week' then 7 when 'month' then 28 when 'year' then 365 end
            * billing_period_value as shortest_days
    from marts.dim_subscription
    where
        service_code = $1
        and external_account_id = $2
        and external_subscription_id = $3
        and is_linked
        and segment_start <= $4
        and billing_period_value > 0
        and (end_date is null or end_date >= $4)
        and coalesce(subscription_state, '') not in ('5_renewed', '6_churn')
        and billing_period_unit in ('week', 'month', 'year')
),

stepped as (
    select
        anchored.*,
        (anchor + steps.step_number * step)::date as nominal_start,
        (anchor + (steps.step_number + 1) * step)::date as nominal_end
    from anchored
    cross join lateral generate_series(0, ($4::date - anchor) / shortest_days)
        as steps (step_number)
),

period as (
    select
        plan_code,
        greatest(nominal_start, segment_start) as period_start,
        least(nominal_end, end_date + 1) as period_end
    from stepped
    where nominal_start <= $4 and nominal_end > $4
)

select
    plan_code,
    period_start,
    period_end,
    period_start::timestamp at time zone $5 as starts_at,
    period_end::timestamp at time zone $5 as ends_at
from period
"""

# $1 service, $2 subscription, $3 plan, $4 and $5 the period's instants, $6 time zone, $7 its first
# day.
# One row a charge of the plan, by its metric's name as in Lago; quantity null without usage.
CHARGES_USED = """
with

versions as (
    select
        charge.*,
        metric.metric_name,
        metric.aggregation,
        metric.field_name,
        charge.charge_model = 'standard'
        and charge.pricing_group_keys = '{}'
        and metric.aggregation in ('sum', 'count', 'max', 'last', 'unique')
        and not metric.recurring
        and metric.rounding_function is null
        and count(*) over (partition by charge.charge_group) = 1 as is_plain
    from marts.dim_charge_version as charge
    inner join marts.dim_metric as metric on charge.metric_code = metric.metric_code
    where
        charge.plan_code = $3
        and $7::date >= coalesce(charge.valid_from, '-infinity')
        and $7::date <= coalesce(charge.valid_to, 'infinity')
),

charges as (
    select * from versions
    where variant = ''
),

fees as (
    select
        versions.charge_group,
        rated.charge_key,
        rated.group_key,
        sum(rated.quantity_used) as quantity_used,
        sum(rated.amount) as amount,
        max(rated.events_count) as counters
    from marts.fct_rated_lines as rated
    inner join versions on rated.charge_key = versions.charge_key
    where
        rated.subscription_key = $1 || ':' || $2
        and rated.period_start = $7
    group by 1, 2, 3
),

rated as (
    select
        charge_group,
        sum(quantity_used) as quantity_used,
        sum(amount) as amount,
        sum(counters)::bigint as counters
    from fees
    group by 1
),

-- A reading counts from the one before it, whatever its period; all else stays in its period.
metered as (
    select distinct code
    from raw.usage_counter
    where service_code = $1 and external_subscription_id = $2 and kind = 'cumulative'
),

counters as (
    select
        counter.*,
        charges.charge_key,
        charges.aggregation,
        counter.properties ->> charges.field_name as member
    from raw.usage_counter as counter
    inner join charges on counter.code = charges.metric_code and charges.is_plain
    where
        counter.service_code = $1
        and counter.external_subscription_id = $2
        and (
            (counter.window_start >= $4 and counter.window_start < $5)
            or counter.code in (select code from metered)
        )
),

measured as (
    select
        *,
        kind <> 'event' and revision < max(revision) over (
            partition by code, window_start, window_end, properties
        ) as is_superseded,
        case
            when kind <> 'event' then value
            when member ~ '^-?\\d+(\\.\\d+)?$' then member::numeric
        end as reading
    from counters
),

followed as (
    select
        *,
        lag(reading) over (
            partition by code, properties, kind, is_superseded
            order by window_end, window_start, transaction_id
        ) as previous_reading
    from measured
),

quantified as (
    select
        *,
        case
            when aggregation = 'count' and kind = 'event' then 1
            when aggregation = 'unique' then case when member is not null then 1 end
            when kind = 'cumulative' and aggregation in ('sum', 'count')
                then
                    case
                        when reading >= previous_reading then reading - previous_reading
                        else reading
                    end
            else reading
        end as quantity
    from followed
    where not is_superseded
),

folded as (
    select
        charge_key,
        count(*) as counters,
        sum(quantity) as quantity_sum,
        max(quantity) as quantity_max,
        (array_agg(quantity order by
            window_end desc,
            (window_start at time zone $6)::date desc,
            received_at desc,
            transaction_id desc
        ))[1] as quantity_last,
        count(distinct member) as members
    from quantified
    where quantity is not null and window_start >= $4 and window_start < $5
    group by charge_key
),

used as (
    select
        charges.*,
        rated.amount as amount_rated,
        coalesce(
            case
                when not charges.is_plain then rated.counters
                when charges.aggregation = 'unique' then folded.members  -- as Lago counts them
                else folded.counters
            end,
            0
        ) as counters,
        coalesce(
            case
                when not charges.is_plain then rated.quantity_used
                when charges.aggregation = 'max' then folded.quantity_max
                when charges.aggregation = 'last' then greatest(folded.quantity_last, 0)
                when charges.aggregation = 'unique' then folded.members
                else folded.quantity_sum
            end,
            0
        ) as quantity_used
    from charges
    left join folded on charges.charge_key = folded.charge_key
    left join rated on charges.charge_group = rated.charge_group
)

select
    *,
    case
        when is_plain then greatest(quantity_used - quantity_included, 0) * unit_price
        else coalesce(amount_rated, 0)
    end as amount_precise
from used
order by lower(metric_name), charge_key
"""

# $1 service, $2 account key, $3 subscription key, $4 time zone, $5 metric or null. One row a charge
# and billed period, the newest period first, adjustments added to the line they adjust.
CHARGES_BILLED = """
with

billed as (
    select
        charge_key,
        plan_code,
        metric_code,
        period_start,
        period_end,
        currency,
        sum(quantity_used) as quantity_used,
        sum(amount) as amount,
        min(odoo_invoice_id) as odoo_invoice_id
    from marts.fct_billed_lines
    where service_code = $1 and account_key = $2 and subscription_key = $3
    group by 1, 2, 3, 4, 5, 6
),

daily as (
    select metric_code, local_day, counters
    from marts.fct_usage_daily
    where service_code = $1 and subscription_key = $3
),

counted as (
    select billed.charge_key, billed.period_start, sum(daily.counters)::bigint as counters
    from billed
    inner join daily
        on
            billed.metric_code = daily.metric_code
            and daily.local_day >= billed.period_start
            and daily.local_day < billed.period_end
    group by 1, 2
)

select
    billed.*,
    billed.period_start::timestamp at time zone $4 as starts_at,
    billed.period_end::timestamp at time zone $4 as ends_at,
    min(billed.odoo_invoice_id) over (partition by billed.period_start) as period_invoice_id,
    coalesce(counted.counters, 0) as counters,
    charge.charge_name,
    coalesce(charge.charge_model, 'standard') as charge_model,
    coalesce(metric.metric_name, billed.metric_code) as metric_name,
    metric.aggregation
from billed
left join counted
    on billed.charge_key = counted.charge_key and billed.period_start = counted.period_start
left join marts.dim_charge as charge on billed.charge_key = charge.charge_key
left join marts.dim_metric as metric on billed.metric_code = metric.metric_code
where $5::text is null or billed.metric_code = $5
order by billed.period_start desc, lower(coalesce(metric.metric_name, billed.metric_code)),
    billed.charge_key
"""

# $1 service, $2 metric: whether a plan of the service charges for it.
METRIC = """
select exists (
    select
    from marts.dim_charge as charge
    inner join marts.dim_subscription as subscription
        on charge.plan_code = subscription.plan_code
    where subscription.service_code = $1 and charge.metric_code = $2
)
"""
