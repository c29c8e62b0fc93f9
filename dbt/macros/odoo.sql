{# One field of a mirrored Odoo record. Odoo's JSON says `false` where a field is unset. #}

{% macro odoo_text(field) -%}
    case when jsonb_typeof(record -> '{{ field }}') <> 'boolean' then record ->> '{{ field }}' end
{%- endmacro %}

{% macro odoo_number(field) -%}
    nullif({{ odoo_text(field) }}, '')::numeric
{%- endmacro %}

{# What people type into Odoo: unset where it cannot be read, and named by the record's
   `unreadable`. exports/catalogue/records.py has the same three forms. #}

{% macro typed_number(field) -%}
    case when {{ is_typed(field, "number") }} then ({{ odoo_text(field) }})::numeric end
{%- endmacro %}

{% macro typed_digits(field) -%}
    case
        when {{ is_typed(field, "digits") }} then ({{ odoo_text(field) }})::numeric::integer
    end
{%- endmacro %}

{% macro typed_filter(field) -%}
    case when {{ is_typed(field, "filter") }} then ({{ odoo_text(field) }})::jsonb end
{%- endmacro %}

{% macro is_typed(field, form) -%}
    {{ odoo_text(field) }} ~ '{{ typed_form(form) }}'
{%- endmacro %}

{# Names of the fields that hold something else than their form. #}
{% macro unreadable(forms) -%}
    {%- set found = [] -%}
    {%- for form, fields in forms.items() -%}
        {%- for field in fields -%}
            {%- set typed = is_typed(field, form) -%}
            {%- set wrong = "not " ~ typed ~ " and " ~ odoo_text(field) ~ " <> ''" -%}
            {%- do found.append("case when " ~ wrong ~ " then '" ~ field ~ "' end") -%}
        {%- endfor -%}
    {%- endfor -%}
    array_remove(array[{{ found | join(", ") }}], null)
{%- endmacro %}

{% macro typed_form(form) -%}
    {%- set text -%}
        "([^"\\\u0001-\u001f]|\\["\\/bfnrt]|\\u(?!0000|[dD][89a-fA-F])[0-9a-fA-F]{4})*"
    {%- endset -%}
    {%- set blank -%} [ \t\n\r]* {%- endset -%}
    {%- set texts = "\\[" ~ blank ~ text ~ blank ~ "(," ~ blank ~ text ~ blank ~ ")*\\]" -%}
    {%- set pair = text ~ blank ~ ":" ~ blank ~ texts ~ blank -%}
    {%- set number -%} [+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})? {%- endset -%}
    {{- {
        "number": "^ *" ~ number ~ " *$",
        "digits": "^ *[+-]?[0-9]{1,3}(\\.0*)? *$",
        "filter": "^" ~ blank ~ "\\{" ~ blank ~ "(" ~ pair ~ "(," ~ blank ~ pair ~ ")*)?\\}" ~ blank
        ~ "$",
    }[form] -}}
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

{# Codes written as `b, a`: a sorted array without blanks, empty where the field is. #}
{% macro odoo_codes(field) -%}
    array(
        select distinct trim(code) as code
        from unnest(string_to_array(coalesce({{ odoo_text(field) }}, ''), ',')) as codes (code)
        where trim(code) <> ''
        order by code
    )
{%- endmacro %}
