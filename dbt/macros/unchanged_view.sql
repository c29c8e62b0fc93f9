{# dbt makes every view anew in every build, whether or not anything in it changed. Here a view that
   is there, and of the same SQL, is left alone; its comment holds the hash. #}
{% materialization view, adapter="postgres" -%}
    {%- set definition = local_md5(sql) -%}
    {%- set found = run_query(
        "select obj_description(to_regclass('" ~ this ~ "'), 'pg_class') as definition"
    ).rows[0][0] -%}
    {%- if found == definition and not flags.FULL_REFRESH -%}
        {%- call noop_statement("main", "unchanged") -%}
            {{ sql }}
        {%- endcall -%}
        {{ return({"relations": [this.incorporate(type="view")]}) }}
    {%- endif -%}
    {%- set made = materialization_view_default() -%}
    {%- call statement("note") -%}
        comment on view {{ this }} is '{{ definition }}'
    {%- endcall -%}
    {%- do adapter.commit() -%}
    {{ return(made) }}
{%- endmaterialization %}
