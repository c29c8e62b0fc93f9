-- Versions of a difference that follow on each other without a gap are one history; one that went
-- and came back has two.

with

seen as (
    select * from {{ ref('reconciliation_seen') }}
),

batches as (
    select * from {{ ref('stg_usage__batches') }}
),

-- "Now" is the last that was heard of: a counter, or a difference that came, changed or went.
clock as (
    select
        greatest(
            (select max(received_at) from batches),
            (select max(dbt_valid_from) from seen),
            (select max(dbt_valid_to) from seen)
        ) as as_of
),

followed as (
    select
        *,
        coalesce(dbt_valid_from <> lag(dbt_valid_to) over differences, true) as is_first
    from seen
    window differences as (partition by reconciliation_key order by dbt_valid_from)
),

numbered as (
    select
        *,
        count(*) filter (where is_first) over (
            partition by reconciliation_key
            order by dbt_valid_from
        ) as history_no
    from followed
),

newest as (
    select
        *,
        first_value(reason) over histories as first_reason,
        min(dbt_valid_from) over (partition by reconciliation_key, history_no) as first_seen_at,
        row_number() over (
            partition by reconciliation_key, history_no
            order by dbt_valid_from desc
        ) as newest_first,
        count(*) over (partition by reconciliation_key, history_no) as versions
    from numbered
    window
        histories as (
            partition by reconciliation_key, history_no
            order by dbt_valid_from
        )
),

aged as (
    select
        newest.*,
        extract(day from coalesce(newest.dbt_valid_to, clock.as_of) - newest.first_seen_at)::integer
            as age_days
    from newest
    cross join clock
    where newest.newest_first = 1
),

final as (
    select
        reconciliation_key || '#' || history_no as difference_key,
        reconciliation_key,
        service_code,
        account_key,
        subscription_key,
        item_type,
        metric_code,
        period_start,
        period_end,
        first_reason,
        reason,
        delta,
        currency,
        versions,
        first_seen_at,
        dbt_valid_from as last_changed_at,
        dbt_valid_to as resolved_at,
        dbt_valid_to is null as is_standing,
        age_days,
        {{ ageing_bucket('age_days') }} as ageing
    from aged
)

select * from final
