{# A quantity rounded as `metric` says, half away from zero; a negative precision rounds to tens. #}
{% macro rounded_as_metric(quantity, metric) -%}
    {%- set precision = metric ~ '.rounding_precision' -%}
    case {{ metric }}.rounding_function
        when 'round' then trim_scale(round({{ quantity }}, {{ precision }}))
        when 'ceil' then {{ ceil_quantity(quantity, precision) }}
        when 'floor' then -{{ ceil_quantity('-' ~ quantity, precision) }}
        else {{ quantity }}
    end
{%- endmacro %}

{# Up to a digit. PostgreSQL's ceil() knows whole numbers only, and a division would cut digits. #}
{% macro ceil_quantity(quantity, precision) -%}
    trim_scale(
        trunc({{ quantity }}, {{ precision }})
        + case
            when trunc({{ quantity }}, {{ precision }}) < {{ quantity }}
                then power(10::numeric, -({{ precision }})::numeric)
            else 0
        end
    )
{%- endmacro %}
