{# Post-hook of an incremental model. Without statistics the next models plan for nobody: a new
   table gets them in full. One that this build did not change keeps what it has, and of one that it
   did a third of the sample tells as much: how many rows a value has, and up to which day they
   reach. #}
{% macro analyze_changes() -%}
    {%- set changed = "pg_stat_get_xact_tuples_inserted('" ~ this ~ "'::regclass)"
        ~ " + pg_stat_get_xact_tuples_deleted('" ~ this ~ "'::regclass) > 0" -%}
    do $$ begin
        if (select reltuples < 0 from pg_class where oid = '{{ this }}'::regclass) then
            analyze {{ this }};
        elsif {{ changed }} or not current_setting('track_counts')::boolean then
            set local default_statistics_target = 30;
            analyze {{ this }};
        end if;
    end $$
{%- endmacro %}
