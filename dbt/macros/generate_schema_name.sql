{# Schemas are public names (contracts.md): `marts`, never `<target>_marts`. A replay builds beside
   them, under a prefix, and changes nothing that a build goes by. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ schema_prefix() }}{{ (custom_schema_name or target.schema) | trim }}
{%- endmacro %}

{% macro schema_prefix() -%}
    {{ env_var("FUSION_SCHEMA_PREFIX", "") }}
{%- endmacro %}
