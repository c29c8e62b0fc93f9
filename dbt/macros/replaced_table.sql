{# dbt renames a table that it makes anew out of the way, renames the new one into its place,
   commits and drops the old one; each is a statement of its own, rendered with all macros at hand.
   Here both are one, in the same transaction: readers see the old table or the new one. Whatever is
   no table where a table belongs is left to dbt. #}
{% materialization table, adapter="postgres" -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set made = make_intermediate_relation(this.incorporate(type="table")) -%}
    {%- set leftover = load_cached_relation(made)
        or load_cached_relation(make_backup_relation(this, "table")) -%}
    {%- if existing is none or not existing.is_table or leftover -%}
        {{ return(materialization_table_default()) }}
    {%- endif -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- call statement("main") -%}
        {{ get_create_table_as_sql(False, made, sql) }}
    {%- endcall -%}
    {%- do create_indexes(made) -%}
    {%- call statement("replace") -%}
        drop table if exists {{ existing }} cascade;
        alter table {{ made }} rename to {{ adapter.quote(this.identifier) }}
    {%- endcall -%}
    {#- And with it the views upon it, which dbt knows of. -#}
    {%- do adapter.cache_dropped(existing) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- set revokes = should_revoke(existing, full_refresh_mode=true) -%}
    {%- do apply_grants(existing, config.get("grants"), should_revoke=revokes) -%}
    {%- do persist_docs(existing, model) -%}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({"relations": [existing]}) }}
{%- endmaterialization %}
