{# What a counter counts as by itself: the quantity of all but meter readings. Null where its metric
   finds no value in it. Of a metric nobody knows, which is judged later, what the counter says. The
   most frequent first: it is asked of every counter, once by each aggregate over it. #}
{% macro quantity_by_itself(counter, metric) -%}
    case
        when {{ counter }}.kind = 'delta' and {{ metric }}.aggregation <> 'unique'
            then {{ counter }}.value
        when {{ metric }}.aggregation is null
            then case when {{ counter }}.kind = 'delta' then {{ counter }}.value else 0 end
        when {{ metric }}.aggregation = 'unique'
            then case when {{ counter }}.properties ->> {{ metric }}.field_name is not null then 1 end
        when {{ counter }}.kind <> 'event' then {{ counter }}.value
        when {{ metric }}.aggregation = 'count' then 1
        when {{ counter }}.properties ->> {{ metric }}.field_name ~ '^-?\d+(\.\d+)?$'
            then ({{ counter }}.properties ->> {{ metric }}.field_name)::numeric
    end
{%- endmacro %}

{# The properties of a counter that some charge of its metric tells apart; null where none does.
   Not by a subquery over the keys: PostgreSQL runs one in a single process, row by row. A test holds
   back what tells more apart than are looked at here. #}
{% macro dimensions_of(counter, metric) -%}
    {%- set values = [] -%}
    {%- for number in range(1, most_dimensions() + 1) -%}
        {%- do values.append(
            counter ~ ".properties ->> " ~ metric ~ ".dimension_keys[" ~ number ~ "]"
        ) -%}
    {%- endfor -%}
    case
        when {{ metric }}.dimension_keys is not null
            then jsonb_strip_nulls(
                jsonb_object(
                    {{ metric }}.dimension_keys,
                    (array[{{ values | join(", ") }}])[1:cardinality({{ metric }}.dimension_keys)]
                )
            )
    end
{%- endmacro %}

{% macro most_dimensions() -%}
    {{ return(32) }}
{%- endmacro %}

{# Which run was the newest that had not seen a counter whose batch lies above `line`. #}
{% macro arrived_run(line) -%}
    (coalesce(own_runs.run_ids, all_runs.run_ids))[
        width_bucket({{ line }}, coalesce(own_runs.seen_below, all_runs.seen_below))
    ]
{%- endmacro %}

{# CTEs from `batches` and `runs` to `taken_batches`, those of a roll-up step, and `run_lines`. #}
{% macro batches_taken(rollup, step) -%}
    {%- set lines = "('{" ~ step["lines"] | join(", ") ~ "}'::bigint[])" -%}
    {% if not step["everything"] -%}
touched as (
    select * from {{ ref("int_usage_touched") }}
    where rollup = '{{ rollup }}'
),

{% endif -%}
-- A batch is as late as the newest line of a run below it, whatever service the run was of: so
-- counters of the same line can be folded before their run is looked up. It is their arrival's for
-- ever: a run that is recorded later bills from a later build, and so from a line above everything
-- that was rolled up before it.
taken_batches as not materialized (
    select
        batch_id,
        {{ lines }}[width_bucket(xid, {{ lines }})] as seen_line
    from batches
    where xid < {{ step["high_water_xid"] }}
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
)
{%- endmacro %}

{# The touched day groups of a step, as a join of `counters` and the bounds that prune raw. #}
{% macro joined_with_touched(step) -%}
    {% if not step["everything"] -%}
    inner join touched
        on
            counters.service_code = touched.service_code
            and counters.external_subscription_id = touched.external_subscription_id
            and counters.code = touched.metric_code
            and counters.local_day = touched.local_day
    {%- endif %}
{%- endmacro %}

{% macro in_touched_days(step) -%}
    {%- if step["everything"] -%}
        true
    {%- else -%}
        ({{ in_spans("counters.window_start", step["spans"]) }})
        and ({{ of_subscriptions("counters", step["subscriptions"]) }})
    {%- endif -%}
{%- endmacro %}

{# CTEs from `chosen`, counters with their batch's seen_line, and `metrics` to `measured`: the same
   with quantity, member, dimensions and fate, revisions and meter readings seen through. #}
{% macro usage_measured(step) -%}
-- Read once for each kind of counter: writing it down would cost more than reading it again.
taken as not materialized (
    select
        chosen.*,
        metrics.aggregation,
        metrics.field_name,
        metrics.dimension_keys
    from chosen
    left join metrics
        on chosen.code = metrics.metric_code
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
        and taken.revision < coalesce(revised.revision, taken.revision) as is_superseded
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
        lag(value) over (
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
        properties ->> field_name as member,
        case
            when
                kind <> 'cumulative'
                or aggregation is null
                or aggregation not in ('sum', 'count', 'weighted_sum')
                then {{ quantity_by_itself("followed", "followed") }}
            -- Another reading of the same moment counts in its place.
            when is_superseded then 0
            -- A level may fall: what is carried on changes by the difference.
            when aggregation = 'weighted_sum' then value - coalesce(previous_reading, 0)
            -- A meter starts at 0, and starts again at 0 where a reading falls.
            when value >= previous_reading then value - previous_reading
            else value
        end as quantity
    from followed
),

measured as (
    select
        *,
        {{ dimensions_of("quantified", "quantified") }} as dimensions,
        case
            when is_superseded then 'superseded'
            when quantity is null then 'unreadable'
            else 'counted'
        end as fate
    from quantified
)
{%- endmacro %}

{# What puts readings in order, bytewise, and its quantity with it. An instant as ISO text, which
   `plan_for_all_of_raw` sets: with to_char the whole fold took a tenth longer. #}
{% macro ordered_reading(counter) -%}
    array[
        ({{ counter }}.window_end at time zone 'UTC')::text,
        ({{ counter }}.received_at at time zone 'UTC')::text,
        {{ counter }}.transaction_id,
        {{ counter }}.quantity::text
    ] collate "C"
{%- endmacro %}
