{# One text for several columns, any of which may be null: rows of other values have another one,
   whatever characters a provider or an app puts into a name. #}
{% macro key_of(columns) -%}
    {%- set parts = [] -%}
    {%- for column in columns -%}
        {%- do parts.append(
            "replace(replace(coalesce(" ~ column ~ ", ''), '%', '%25'), ':', '%3A')"
        ) -%}
    {%- endfor -%}
    concat_ws(':', {{ parts | join(', ') }})
{%- endmacro %}
