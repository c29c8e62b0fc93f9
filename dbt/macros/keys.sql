{# One text for several columns, any of which may be null: no two rows of other values have the same,
   whatever characters a provider or an app puts into a name. #}
{% macro key_of(columns) -%}
    concat_ws(
        ':'
        {%- for column in columns %},
        replace(replace(coalesce({{ column }}, ''), '%', '%25'), ':', '%3A')
        {%- endfor %}
    )
{%- endmacro %}
