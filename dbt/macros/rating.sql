{# Rating is incremental by subscription: int_rating_step says whether a build rates everything,
   int_subscriptions_touched whom it rates and from when. A table that holds rated usage drops what
   it knows of them from there on and takes what was made anew. rpt_rating_build, which comes last
   and only where all tests passed, notes how far the build got; one that fails notes nothing, and
   the next one rates the same subscriptions once more. #}

{# What the lines depend on that is in no table: settings, currencies, the code itself. By hand,
   where nobody says which code it is, it is another each time. #}
{% macro rating_settings() -%}
    {{ [
        company_timezone(),
        company_currency(),
        usage_grace_hours(),
        var("currencies_without_minor_unit") | join(" "),
        var("currencies_with_three_digits") | join(" "),
        env_var("FUSION_DBT_CODE", invocation_id),
    ] | join("|") | replace("'", "") }}
{%- endmacro %}

{# true or false: a table that is made, or to be made, from nothing needs everything. #}
{% macro rated_tables_are_missing() -%}
    {%- set missing = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() -%}
            {%- if node.config.get("incremental_strategy") == "touched_subscriptions" -%}
                {%- if flags.FULL_REFRESH or not adapter.get_relation(
                    database=node.database, schema=node.schema, identifier=node.name
                ) -%}
                    {%- do missing.append(node.name) -%}
                {%- endif -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {{ "true" if missing or schema_prefix() else "false" }}
{%- endmacro %}

{# A transaction id of now, as a literal: taken within a query it would keep that in one process. #}
{% macro transaction_of_this_build() -%}
    {%- if execute -%}
        {{ run_query("select pg_current_xact_id()::text").rows[0][0] }}
    {%- else -%}
        1
    {%- endif -%}
{%- endmacro %}

{# Not by ref(): a model knows int_subscriptions_touched through what it reads, be it a step that is
   not written down, and a unit test would ask for rows of what only the strategy reads. #}
{% macro beside_the_touched(name) -%}
    {{ api.Relation.create(
        database=target.database, schema=generate_schema_name("intermediate", none), identifier=name
    ) }}
{%- endmacro %}

{# Whether the models that go by touched subscriptions make only those in this build. A unit test
   is given all there is. #}
{% macro rates_a_few() -%}
    {%- if not execute or model.resource_type == "unit_test" -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set step = adapter.get_relation(
        database=target.database,
        schema=generate_schema_name("intermediate", none) | trim,
        identifier="int_rating_step",
    ) -%}
    {{ return(step is not none and not run_query("select is_anew from " ~ step).rows[0][0]) }}
{%- endmacro %}

{# A reading of a table of usage that gets by with the touched subscriptions: `since` their day_from
   or rated_from, or all they have. Where everything is rated, all of it is read.
   A few are looked up one after the other, down an index, so that a build costs what it touches and
   not what is stored. Of many the days are read as they lie, since one that all but a tenth of them
   begin at or after: a row here and a row there is dearer than a month of everybody's. The days
   before it are looked up, so that a late counter or two do not open the past of all.
   Of many, others' rows are read as well, and earlier ones of theirs: the reader joins the touched
   from that day on, or what was made of them, and so drops what is not asked for. #}
{% macro of_the_touched(relation, since=none) -%}
    {%- set theirs = [
        "stored.service_code = touched.service_code",
        "stored.external_subscription_id = touched.external_subscription_id",
    ] -%}
    {%- if not rates_a_few() or (touches_many() and not since) -%}
        {{ return("select * from " ~ relation) }}
    {%- endif -%}
    {%- if since -%}
        {%- do theirs.append("stored.local_day >= touched." ~ since) -%}
    {%- endif -%}
    {%- if touches_many() -%}
        {%- set together_from = "'" ~ day_most_begin_at(since) ~ "'" -%}
        {%- do theirs.append("stored.local_day < " ~ together_from) -%}
        select * from {{ relation }} where local_day >= {{ together_from }}
        union all
        {{ looked_up(relation, theirs, "touched." ~ since ~ " < " ~ together_from) }}
    {%- else -%}
        {{ looked_up(relation, theirs) }}
    {%- endif -%}
{%- endmacro %}

{# The same of a table of fees or lines, from the period on in which something happened. Of them a
   subscription has few, and each is looked up. #}
{% macro periods_of_the_touched(relation) -%}
    {%- if not rates_a_few() -%}
        {{ return("select * from " ~ relation) }}
    {%- endif -%}
    {{ looked_up(
        relation,
        [
            "stored.subscription_key = touched.subscription_key",
            "stored.period_start >= touched.rated_from",
        ]
    ) }}
{%- endmacro %}

{# More than a few, and more than a tenth of all. #}
{% macro touches_many() -%}
    {{ return(run_query(
        "select count(*) > " ~ var("most_looked_up") ~ " and count(*) > "
        ~ "(select 0.1 * count(*) from " ~ beside_the_touched("int_subscription_terms") ~ ")"
        ~ " from " ~ beside_the_touched("int_subscriptions_touched")
    ).rows[0][0]) }}
{%- endmacro %}

{# The day, as text, that all but the share of the touched begin at or after. #}
{% macro day_most_begin_at(since) -%}
    {{ return(run_query(
        "select percentile_disc(" ~ var("share_looked_up") ~ ") within group (order by " ~ since
        ~ ")::text from " ~ beside_the_touched("int_subscriptions_touched")
    ).rows[0][0]) }}
{%- endmacro %}

{# Each `offset 0` is a fence: PostgreSQL would join the whole table instead, or do the reader's
   other joins once for each subscription. They stand in a query of their own, so that what the
   reader asks for still reaches what is read together. #}
{% macro looked_up(relation, conditions, of_whom="true") -%}
    select *
    from (
        select found.*
        from {{ beside_the_touched("int_subscriptions_touched") }} as touched
        cross join lateral (
            select * from {{ relation }} as stored
            where {{ conditions | join(" and ") }}
            offset 0
        ) as found
        where {{ of_whom }}
        offset 0
    ) as looked_up
{%- endmacro %}

{# Whether a charge's quantity begins with what was there before its period. Lago knows no recurring
   count, maximum or last value: of them there is nothing to carry over. #}
{% macro is_carried(charge) -%}
    {{ charge }}.recurring and {{ charge }}.aggregation in ('sum', 'unique', 'weighted_sum')
{%- endmacro %}

{# Whether what a day changes weighs the days from it to its period's end. #}
{% macro is_prorated(charge) -%}
    {{ charge }}.prorated and {{ charge }}.aggregation in ('sum', 'unique')
{%- endmacro %}

{# Whether a row of int_usage_placed is part of its period's quantity: what is rated; of a recurring
   metric all of the period, for a change of state on a paused day is a change all the same. #}
{% macro counts_in_its_period(placed, charge) -%}
    {{ placed }}.fate = 'counted'
    and (
        {{ placed }}.verdict = 'rated'
        or (
            {{ charge }}.is_carried
            and {{ placed }}.verdict_reason = 'unattributed: subscription paused'
        )
    )
{%- endmacro %}

{# Pre-hook of int_subscriptions_touched and int_usage_dimensions, which read of int_usage_daily
   what was rolled up since the last build: PostgreSQL would guess that to be a third of it. #}
{% macro plan_for_what_is_new() -%}
    {{ plan_by_hashes() }};
    set local enable_seqscan = {{ "off" if rates_a_few() else "on" }}
{%- endmacro %}

{# Whether a table that a build of a few adds to is added to, or made anew. #}
{% macro adds_what_is_new() -%}
    {{ return(is_incremental() and rates_a_few()) }}
{%- endmacro %}

{# Pre-hook of such a table. #}
{% macro forget_what_is_rated_anew() -%}
    {%- if is_incremental() and not adds_what_is_new() -%}
        delete from {{ this }}
    {%- else -%}
        select 1
    {%- endif -%}
{%- endmacro %}

{# Deletes by keys that are looked up one by one: for a few of many rows the planner would read a
   table of any size, whatever its index. #}
{% macro look_up_each() -%}
    set local enable_hashjoin = off;
    set local enable_mergejoin = off;
    set local enable_nestloop = on;
    set local enable_seqscan = off
{%- endmacro %}

{# Pre-hook of such a table. Made from nothing after a build that rated a few, it would hold these
   few and lack everybody else's lines: the next billing run would take back what it had billed. #}
{% macro refuse_a_few() -%}
    {%- if execute and not is_incremental() -%}
        {%- set rates_all = run_query(
            "select is_anew from " ~ beside_the_touched("int_rating_step")
        ).rows[0][0] -%}
        {%- if not rates_all -%}
            {{ exceptions.raise_compiler_error(
                this.name ~ " would be made of the subscriptions that the last build touched alone."
                ~ " Make it with all it comes from: --select +" ~ this.name
            ) }}
        {%- endif -%}
    {%- endif -%}
    select 1
{%- endmacro %}

{# dbt's strategy `touched_subscriptions`. Rows of days go from the first touched day, rows of
   periods from the start of its period. #}
{% macro get_incremental_touched_subscriptions_sql(arguments) -%}
    {%- set target = arguments["target_relation"] -%}
    {%- set names = arguments["dest_columns"] | map(attribute="name") | list -%}
    {%- set columns = get_quoted_csv(names) -%}
    {%- set is_anew = run_query(
        "select is_anew from " ~ beside_the_touched("int_rating_step")
    ).rows[0][0] -%}
    {%- set same_subscription = "rated.service_code = touched.service_code"
        ~ " and rated.external_subscription_id = touched.external_subscription_id" -%}
    {%- set same_key = "rated.subscription_key = touched.subscription_key" -%}
    {%- set since_day = "rated.local_day >= touched.day_from" -%}
    {%- set since_period = "rated.period_start >= touched.rated_from" -%}
    lock table {{ target }} in share row exclusive mode;
    {% if is_anew -%}
    delete from {{ target }};
    {%- else -%}
        {{ look_up_each() }};
        delete from {{ target }} as rated
    using {{ beside_the_touched("int_subscriptions_touched") }} as touched
    where
        {{ same_subscription if "external_subscription_id" in names else same_key }}
        and {{ since_day if "local_day" in names else since_period }};
    {%- endif %}
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arguments["temp_relation"] }}
{%- endmacro %}

{# Post-hook of int_subscriptions_touched, before a rated table is changed. What this build rates by
   other terms, or rules, than the last one that ended is known by neither until this one ends: it
   may fail half way, and who takes the change back then has rows of it all the same. #}
{% macro record_begun_rating() -%}
    {%- if schema_prefix() -%}
        {{ return("select 1") }}
    {%- endif -%}
    {%- set step = beside_the_touched("int_rating_step") -%}
    update ops.rating_progress set rules = 'unfinished' where (select is_anew from {{ step }});
    insert into ops.rated_subscription as rated (service_code, external_subscription_id, terms)
    select
        coalesce(terms.service_code, known.service_code),
        coalesce(terms.external_subscription_id, known.external_subscription_id),
        'unfinished'
    from {{ ref("int_subscription_terms") }} as terms
    full join ops.rated_subscription as known
        on
            terms.service_code = known.service_code
            and terms.external_subscription_id = known.external_subscription_id
    where
        terms.terms is distinct from known.terms
        and not (select is_anew from {{ step }})
    on conflict (service_code, external_subscription_id) do update set terms = excluded.terms
    where rated.terms <> excluded.terms
{%- endmacro %}

{# Post-hook of rpt_rating_build. #}
{% macro record_rating() -%}
    {%- if schema_prefix() -%}
        {{ return("select 1") }}
    {%- endif -%}
    insert into ops.rating_progress as progress (rated_xid, rules)
    select pg_current_xact_id(), rules from {{ ref("int_rating_step") }}
    on conflict (only_row) do update set
        rated_xid = excluded.rated_xid,
        rules = excluded.rules,
        rated_at = default;
    delete from ops.rated_subscription as rated
    where
        not exists (
            select from {{ ref("int_subscription_terms") }} as terms
            where
                terms.service_code = rated.service_code
                and terms.external_subscription_id = rated.external_subscription_id
        );
    insert into ops.rated_subscription as rated
        (service_code, external_subscription_id, terms, periods_until)
    select service_code, external_subscription_id, terms, periods_until
    from {{ ref("int_subscription_terms") }}
    on conflict (service_code, external_subscription_id) do update set
        terms = excluded.terms,
        periods_until = excluded.periods_until
    where (rated.terms, rated.periods_until) is distinct from (excluded.terms, excluded.periods_until)
{%- endmacro %}
