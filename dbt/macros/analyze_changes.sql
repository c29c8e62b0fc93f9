{# Post-hook of an incremental model; `day` is the column of its days or periods. Without statistics
   the next models plan for nobody: a new table gets them in full, and one of which more than a tenth
   changed from a third of the sample. Of a smaller change only `day` is looked at, in a tenth of the
   sample: up to when the rows reach, and how many there are. The rest is autovacuum's. One that this
   build did not change keeps what it has. #}
{% macro analyze_changes(day) -%}
    do $$ declare
        stored real := (select reltuples from pg_class where oid = '{{ this }}'::regclass);
        changes bigint := pg_stat_get_xact_tuples_inserted('{{ this }}'::regclass)
            + pg_stat_get_xact_tuples_deleted('{{ this }}'::regclass);
    begin
        if stored < 0 then
            analyze {{ this }};
        elsif changes > stored / 10 or not current_setting('track_counts')::boolean then
            set local default_statistics_target = 30;
            analyze {{ this }};
        elsif changes > 0 then
            set local default_statistics_target = 10;
            analyze {{ this }} ({{ day }});
        end if;
    end $$
{%- endmacro %}
