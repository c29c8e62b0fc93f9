{# A quotient to 20 digits after the point: PostgreSQL alone stops at 16 significant ones, which a
   large amount uses up before the cents. #}
{% macro ratio(dividend, divisor) -%}
    trim_scale(round((({{ dividend }}) + 0.0000000000000000000000000) / ({{ divisor }}), 20))
{%- endmacro %}

{# What of an amount per full period falls to a part of it, by days. #}
{% macro part_of_period(amount, days, nominal_days) -%}
    case
        when {{ days }} = {{ nominal_days }} then {{ amount }}
        else {{ ratio(amount ~ ' * ' ~ days, nominal_days) }}
    end
{%- endmacro %}
