{# CTEs from `counters`, `batches`, `metrics` and `runs` to `measured`: the counters of a roll-up
   step with quantity, member, dimensions, fate and arrived_run. Only of metrics that are priced by
   single counters where `only_events`. #}
{% macro usage_measured(rollup, step, only_events=false) -%}
    {% if not step["everything"] -%}
touched as (
    select * from {{ ref("int_usage_touched") }}
    where rollup = '{{ rollup }}'
),

{% endif -%}
-- Read once for each kind of counter: writing it down would cost more than reading it again.
taken as not materialized (
    select
        counters.*,
        batches.xid as batch_xid,
        metrics.aggregation,
        metrics.dimension_keys,
        counters.properties ->> metrics.field_name as member
    from counters
    inner join batches
        on
            counters.batch_id = batches.batch_id
            and batches.xid < {{ step["high_water_xid"] }}
    {{ "inner" if only_events else "left" }} join metrics
        on
            counters.code = metrics.metric_code
            {{ "and metrics.needs_events" if only_events }}
    {%- if not step["everything"] %}
    inner join touched
        on
            counters.service_code = touched.service_code
            and counters.external_subscription_id = touched.external_subscription_id
            and counters.code = touched.metric_code
            and counters.local_day = touched.local_day
    where {{ in_spans("counters.window_start", step["spans"]) }}
    {%- endif %}
),

-- Of one window the highest revision counts. Nearly all windows have only their first.
revised as (
    select
        service_code,
        external_subscription_id,
        code,
        window_start,
        window_end,
        properties,
        max(revision) as revision
    from taken
    where revision > 0
    group by 1, 2, 3, 4, 5, 6
),

weighed as not materialized (
    select
        taken.*,
        taken.kind <> 'event'
        and taken.revision < coalesce(revised.revision, taken.revision) as is_superseded,
        case
            when taken.kind <> 'event' then taken.value
            when taken.member ~ '^-?\d+(\.\d+)?$' then taken.member::numeric
        end as reading
    from taken
    left join revised
        on
            taken.service_code = revised.service_code
            and taken.external_subscription_id = revised.external_subscription_id
            and taken.code = revised.code
            and taken.window_start = revised.window_start
            and taken.window_end = revised.window_end
            and taken.properties = revised.properties
),

{% if not step["everything"] -%}
pending as (
    select batch_id from batches
    where xid >= {{ step["high_water_xid"] }}
),

{% endif -%}
-- The reading before, of those that count: one whole history is put in order, a few days' readings
-- look theirs up.
followed as (
    select
        *,
        null::numeric as previous_reading
    from weighed
    where kind <> 'cumulative' or is_superseded

    union all
{% if step["everything"] %}
    select
        *,
        lag(reading) over (
            partition by service_code, external_subscription_id, code, properties
            order by window_end, window_start, transaction_id collate "C"
        ) as previous_reading
    from weighed
    where kind = 'cumulative' and not is_superseded
{% else %}
    select
        weighed.*,
        (
            select readings.value
            from counters as readings
            where
                readings.kind = 'cumulative'
                and readings.service_code = weighed.service_code
                and readings.external_subscription_id = weighed.external_subscription_id
                and readings.code = weighed.code
                and readings.properties = weighed.properties
                and (readings.window_end, readings.window_start, readings.transaction_id collate "C")
                < (weighed.window_end, weighed.window_start, weighed.transaction_id collate "C")
                and {{ is_counted("readings") }}
            order by
                readings.window_end desc,
                readings.window_start desc,
                readings.transaction_id collate "C" desc
            limit 1
        ) as previous_reading
    from weighed
    where weighed.kind = 'cumulative' and not weighed.is_superseded
{% endif %}
),

quantified as (
    select
        *,
        case
            -- Judged later, and counted as what it says by itself.
            when aggregation is null then case when kind = 'delta' then value else 0 end
            when aggregation = 'count' and kind = 'event' then 1
            when aggregation = 'unique' then case when member is not null then 1 end
            when kind <> 'cumulative' or aggregation not in ('sum', 'count', 'weighted_sum')
                then reading
            -- Another reading of the same moment counts in its place.
            when is_superseded then 0
            -- A level may fall: what is carried on changes by the difference.
            when aggregation = 'weighted_sum' then reading - coalesce(previous_reading, 0)
            -- A meter starts at 0, and starts again at 0 where a reading falls.
            when reading >= previous_reading then reading - previous_reading
            else reading
        end as quantity
    from followed
),

-- The runs that concern a service, in the order of what they had seen.
run_lines as (
    select
        scopes.service_code,
        array_agg(runs.high_water_xid order by runs.high_water_xid, runs.run_id) as seen_below,
        array_agg(runs.run_id order by runs.high_water_xid, runs.run_id) as run_ids
    from (
        select service_code from runs
        union
        select null
    ) as scopes
    inner join runs
        on
            runs.service_code is null
            or runs.service_code = scopes.service_code
    group by 1
),

-- A counter's run is that of its arrival for ever: a run that is recorded later bills from a later
-- build, and so from a line above everything that was rolled up before it.
measured as (
    select
        quantified.*,
        (coalesce(own_runs.run_ids, all_runs.run_ids))[
            width_bucket(
                quantified.batch_xid, coalesce(own_runs.seen_below, all_runs.seen_below)
            )
        ] as arrived_run,
        case
            when quantified.is_superseded then 'superseded'
            when quantified.quantity is null then 'unreadable'
            else 'counted'
        end as fate,
        case
            when quantified.dimension_keys is null then '{}'::jsonb
            else (
                select coalesce(jsonb_object_agg(named.key, named.value), '{}'::jsonb)
                from (
                    select
                        keys.key,
                        quantified.properties ->> keys.key as value
                    from unnest(quantified.dimension_keys) as keys (key)
                ) as named
                where named.value is not null
            )
        end as dimensions
    from quantified
    left join run_lines as own_runs
        on quantified.service_code = own_runs.service_code
    left join run_lines as all_runs
        on all_runs.service_code is null
)
{%- endmacro %}
