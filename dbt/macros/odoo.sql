{# One field of a mirrored Odoo record. Odoo's JSON says `false` where a field is unset. #}

{% macro odoo_text(field) -%}
    case when jsonb_typeof(record -> '{{ field }}') <> 'boolean' then record ->> '{{ field }}' end
{%- endmacro %}

{% macro odoo_number(field) -%}
    nullif({{ odoo_text(field) }}, '')::numeric
{%- endmacro %}

{% macro odoo_id(field) -%}
    ({{ odoo_text(field) }})::bigint
{%- endmacro %}

{% macro odoo_date(field) -%}
    ({{ odoo_text(field) }})::date
{%- endmacro %}

{% macro odoo_flag(field) -%}
    coalesce((record ->> '{{ field }}')::boolean, false)
{%- endmacro %}

{% macro odoo_json(field) -%}
    nullif({{ odoo_text(field) }}, '')::jsonb
{%- endmacro %}

{# Codes written as `b, a`: a sorted array without blanks, empty where the field is. #}
{% macro odoo_codes(field) -%}
    array(
        select distinct trim(code) as code
        from unnest(string_to_array(coalesce({{ odoo_text(field) }}, ''), ',')) as codes (code)
        where trim(code) <> ''
        order by code
    )
{%- endmacro %}
