-- The subscriptions that this build rates anew, from the period on in which something happened to
-- them: their usage was rolled up again, their terms changed, or another period began. What they
-- carry from period to period goes on from there.

with

step as (
    select * from {{ ref('int_rating_step') }}
),

daily as not materialized (
    select * from {{ ref('int_usage_daily') }}
),

terms as (
    select * from {{ ref('int_subscription_terms') }}
),

rated as (
    select * from {{ ref('stg_ops__rated_subscriptions') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

-- One of the two, so that rows rolled up since are found down their index.
used as (
    select
        daily.service_code,
        daily.external_subscription_id,
        min(daily.local_day) as day_from
    from step
    inner join daily
        on step.rated_xid < daily.rolled_up_xid
    where not step.is_anew
    group by 1, 2

    union all

    select distinct
        daily.service_code,
        daily.external_subscription_id,
        '-infinity'::date as day_from
    from step
    cross join daily
    where step.is_anew
),

changed as (
    select
        coalesce(terms.service_code, rated.service_code) as service_code,
        coalesce(terms.external_subscription_id, rated.external_subscription_id)
            as external_subscription_id,
        case
            -- Another period began; where there was none, or is none any more, all is looked at.
            when
                not step.is_anew
                and terms.terms = rated.terms
                and terms.periods_until is not null
                and rated.periods_until is not null
                then least(terms.periods_until, rated.periods_until)
            else '-infinity'
        end as day_from
    from terms
    full join rated
        on
            terms.service_code = rated.service_code
            and terms.external_subscription_id = rated.external_subscription_id
    cross join step
    where
        step.is_anew
        or terms.terms is distinct from rated.terms
        or terms.periods_until is distinct from rated.periods_until
),

unioned as (
    select * from used

    union all

    select * from changed
),

touched as (
    select
        service_code,
        external_subscription_id,
        service_code || ':' || external_subscription_id as subscription_key,
        min(day_from) as day_from
    from unioned
    group by 1, 2
),

final as (
    select
        touched.service_code,
        touched.external_subscription_id,
        touched.subscription_key,
        touched.day_from,
        coalesce(periods.period_start, touched.day_from) as rated_from
    from touched
    left join periods
        on
            touched.subscription_key = periods.subscription_key
            and touched.day_from >= periods.period_start
            and touched.day_from < periods.period_end
)

select * from final
