{# The roll-ups of usage: incremental by day group (service, subscription, metric, local day).

   int_rollup_steps says which batches a build takes, int_usage_touched which day groups they touch;
   a roll-up makes these again from raw and notes in ops.rollup_progress, in the transaction that
   changes the table, up to where it got. A build that fails in between leaves both as they were. #}

{# Whether a reading of `counters` is in the build and counts: no higher revision of its window is
   in the build. Written so that PostgreSQL asks it of one reading after the other, down an index, and
   not of all at once: `pending` are the batches that wait for the next build. #}
{% macro is_counted(counter) -%}
    {{ counter }}.batch_id not in (select pending.batch_id from pending)
    and coalesce(
        not exists (
            select
            from counters as revisions
            where
                revisions.revision > 0
                and revisions.revision > {{ counter }}.revision
                and revisions.service_code = {{ counter }}.service_code
                and revisions.external_subscription_id = {{ counter }}.external_subscription_id
                and revisions.code = {{ counter }}.code
                and revisions.window_start = {{ counter }}.window_start
                and revisions.window_end = {{ counter }}.window_end
                and revisions.properties = {{ counter }}.properties
                and revisions.batch_id not in (select pending.batch_id from pending)
        ),
        true
    )
{%- endmacro %}

{# What this build does to the roll-up: {everything: true | false, high_water_xid, spans: the
   touched days as literal instants, [[from, to], ...], subscriptions: the touched ones as literals,
   [[service, ids], ...], or [] where they are many, lines: those of all billing runs, and 0}.
   The session keeps the build it was read from, for record_rollup to compare. Unit tests override
   it. #}
{% macro rollup_step(rollup) -%}
    {%- set steps = ref('int_rollup_steps') -%}
    {%- set touched = ref('int_usage_touched') -%}
    {%- if not execute -%}
        {{ return({
            "everything": true, "high_water_xid": 0, "spans": [], "subscriptions": [], "lines": [0]
        }) }}
    {%- endif -%}
    {%- set step = run_query(
        "select high_water_xid, previous_xid, set_config('fusion.rollup_build', build_id, false)"
        ~ " from " ~ steps ~ " where rollup = '" ~ rollup ~ "'"
    ).rows[0] -%}
    {%- set everything = not is_incremental() or step["previous_xid"] == 0 -%}
    {#- Days next to each other are one span; an hour more on each side costs nothing, as the day
        group decides. -#}
    {%- set spans = [] if everything else run_query(
        "with days as (select distinct local_day from " ~ touched
        ~ " where rollup = '" ~ rollup ~ "'), "
        ~ "numbered as (select local_day, local_day - (row_number() over (order by local_day))::int "
        ~ "as island from days) "
        ~ "select (" ~ day_start("min(local_day)") ~ " - interval '1 hour')::text as begins, ("
        ~ day_start("(max(local_day) + 1)") ~ " + interval '1 hour')::text as ends "
        ~ "from numbered group by island order by 1"
    ).rows -%}
    {#- Late counters of a few subscriptions fall on the days of everybody: theirs are found down
        the primary key. -#}
    {%- set subscriptions = [] if everything else run_query(
        "with subscriptions as (select distinct service_code, external_subscription_id from "
        ~ touched ~ " where rollup = '" ~ rollup ~ "') "
        ~ "select quote_literal(service_code) as service, "
        ~ "quote_literal(array_agg(external_subscription_id)::text) as ids "
        ~ "from subscriptions where (select count(*) from subscriptions) <= "
        ~ var("most_looked_up") ~ " group by 1"
    ).rows -%}
    {#- As literals: for a table of them PostgreSQL would do all it does in one process. -#}
    {%- set lines = run_query(
        "select 0 as line union select high_water_xid from " ~ ref("stg_ops__billing_runs")
        ~ " order by 1"
    ).columns[0].values() -%}
    {{ return({
        "everything": everything,
        "lines": lines,
        "high_water_xid": step["high_water_xid"],
        "spans": spans,
        "subscriptions": subscriptions,
    }) }}
{%- endmacro %}

{# The raw read of a roll-up that touches a few subscriptions, pruned to these. #}
{% macro of_subscriptions(counter, subscriptions) -%}
    {%- for service, ids in subscriptions %}
    {{ "or " if not loop.first }}(
        {{ counter }}.service_code = {{ service }}
        and {{ counter }}.external_subscription_id = any({{ ids }}::text[])
    )
    {%- else -%}
        true
    {%- endfor -%}
{%- endmacro %}

{# The raw read of a roll-up, pruned. More spans than this: one bitmap of the whole is cheaper. #}
{% macro in_spans(instant, spans) -%}
    {%- if spans | length > 50 -%}
        {{ instant }} >= '{{ spans[0][0] }}' and {{ instant }} < '{{ spans[-1][1] }}'
    {%- else -%}
        {%- for span in spans %}
        {{ "or " if not loop.first }}({{ instant }} >= '{{ span[0] }}' and {{ instant }} < '{{ span[1] }}')
        {%- else -%}
            false
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{# The day that all but a share of a roll-up's touched groups are of, or come after: these are found
   among the days as they lie, as what they are made of is. None where the touched are of a few
   subscriptions, and each is looked up. #}
{% macro day_most_groups_begin_at(rollup) -%}
    {%- set touched = "from " ~ ref("int_usage_touched") ~ " where rollup = '" ~ rollup ~ "'" -%}
    {{ return(run_query(
        "select percentile_disc(" ~ var("share_looked_up") ~ ") within group (order by local_day)::text "
        ~ touched ~ " and (select count(*) from (select distinct service_code, "
        ~ "external_subscription_id " ~ touched ~ ") as subscriptions) > " ~ var("most_looked_up")
    ).rows[0][0]) }}
{%- endmacro %}

{% macro delete_touched_groups(target, of_days) -%}
    delete from {{ target }} as rolled
    using {{ ref("int_usage_touched") }} as touched
    where
        touched.rollup = '{{ target.identifier }}'
        and rolled.service_code = touched.service_code
        and rolled.external_subscription_id = touched.external_subscription_id
        and rolled.metric_code = touched.metric_code
        and rolled.local_day = touched.local_day
        and {{ of_days }}
{%- endmacro %}

{# dbt's strategy `day_groups`: deletes the touched groups whole, so that a row whose grain is gone
   goes too, and inserts what was made of them. Builds at the same time wait for one another. #}
{% macro get_incremental_day_groups_sql(arguments) -%}
    {%- set target = arguments["target_relation"] -%}
    {%- set columns = get_quoted_csv(arguments["dest_columns"] | map(attribute="name")) -%}
    {%- set previous_xid = run_query(
        "select previous_xid from " ~ ref("int_rollup_steps")
        ~ " where rollup = '" ~ target.identifier ~ "'"
    ).rows[0][0] -%}
    {%- set together_from = day_most_groups_begin_at(target.identifier) -%}
    lock table {{ target }} in share row exclusive mode;
    {% if previous_xid == 0 -%}
    delete from {{ target }};
    {%- elif together_from -%}
        {{ delete_touched_groups(target, "rolled.local_day >= '" ~ together_from ~ "'") }};
        {{ look_up_each() }};
        {{ delete_touched_groups(target, "touched.local_day < '" ~ together_from ~ "'") }};
    {%- else -%}
        {{ look_up_each() }};
        {{ delete_touched_groups(target, "true") }};
    {%- endif %}
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arguments["temp_relation"] }}
{%- endmacro %}

{# Post-hook of a roll-up. Another build may have replaced the steps since they were read: what was
   made of the old ones must not be noted as the new ones. #}
{% macro record_rollup(rollup) -%}
    {#- A replay's tables are not those that the progress is told of. -#}
    {%- if schema_prefix() -%}
        {{ return("select 1") }}
    {%- endif -%}
    {%- set steps = ref('int_rollup_steps') -%}
    do $$ begin
        if current_setting('fusion.rollup_build')
            is distinct from (select build_id from {{ steps }} where rollup = '{{ rollup }}') then
            raise exception 'another dbt build replaced the steps of {{ rollup }}: build again';
        end if;
    end $$;
    insert into ops.rollup_progress as progress
        (rollup, rules, high_water_xid, batches, last_run_id, definitions)
    select rollup, rules, high_water_xid::text::xid8, batches, last_run_id, definitions
    from {{ steps }}
    where rollup = '{{ rollup }}'
    on conflict (rollup) do update set
        rules = excluded.rules,
        high_water_xid = excluded.high_water_xid,
        batches = excluded.batches,
        last_run_id = excluded.last_run_id,
        definitions = excluded.definitions,
        rolled_up_at = default
{%- endmacro %}

{# Pre-hook of what joins on equal keys that belong together. The planner takes them to find a row
   or two, whatever statistics say, and then loops over, or sorts, half a million. #}
{% macro plan_by_hashes(memory="64MB") -%}
    set local work_mem = '{{ memory }}';
    set local enable_nestloop = off;
    set local enable_mergejoin = off
{%- endmacro %}

{# Pre-hook of what reads all of raw. Groups are told apart by a hash: PostgreSQL takes them for
   many more than they are, and would put every counter in order. It takes the touched groups for far
   fewer counters than they are: a nested loop over them took a hundred times a hash join. And what
   counters are folded to is little, so that a second process is worth its start. #}
{% macro plan_for_all_of_raw() -%}
    set local datestyle = 'ISO, YMD';
    set local work_mem = '256MB';
    set local enable_nestloop = off;
    set local enable_sort = off;
    set local parallel_tuple_cost = 0.001;
    set local parallel_setup_cost = 100
{%- endmacro %}
