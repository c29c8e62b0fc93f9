{# As dbt-postgres does it, but an array column is `text[]`: the information schema calls every
   array ARRAY, and dbt's unit tests then write a cast that PostgreSQL cannot read. And from the
   catalogue, which is asked four times for each incremental model: the information schema's view
   joins ten tables, in a session that knows none of them yet. #}
{% macro postgres__get_columns_in_relation(relation) -%}
    {% call statement('get_columns_in_relation', fetch_result=True) %}
        select
            attributes.attname as column_name,
            case
                when types.typcategory = 'A' then ltrim(types.typname, '_') || '[]'
                else format_type(attributes.atttypid, null)
            end as data_type,
            information_schema._pg_char_max_length(attributes.atttypid, attributes.atttypmod)
                as character_maximum_length,
            information_schema._pg_numeric_precision(attributes.atttypid, attributes.atttypmod)
                as numeric_precision,
            information_schema._pg_numeric_scale(attributes.atttypid, attributes.atttypmod)
                as numeric_scale
        from pg_attribute as attributes
        inner join pg_type as types
            on attributes.atttypid = types.oid
        where
            attributes.attrelid = to_regclass('{{ relation }}')
            and attributes.attnum > 0
            and not attributes.attisdropped
        order by attributes.attnum
    {% endcall %}
    {{ return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) }}
{%- endmacro %}
