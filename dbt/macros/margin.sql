{# Margin in percent of revenue. Of nothing there is no percent, and of less than nothing (a month
   of credit notes) it would call a loss a gain: null. #}
{% macro margin_pct(margin, revenue) -%}
    case when {{ revenue }} > 0 then round(100 * ({{ margin }}) / ({{ revenue }}), 2) end
{%- endmacro %}

{# Below this margin in percent an account is an exception. #}
{% macro margin_floor_pct() -%}
    {{ var("margin_floor_pct", env_var("MARGIN_FLOOR_PCT", "20")) }}::numeric
{%- endmacro %}

{# The sum of one measure, of rows (measure, amount). An unknown amount makes it unknown: what has
   no exchange rate must not drop out. #}
{% macro sum_of_measure(measure) -%}
    case
        when count(*) filter (where measure = '{{ measure }}' and amount is null) = 0
            then {{ round_money(
                "coalesce(sum(amount) filter (where measure = '" ~ measure ~ "'), 0)",
                company_currency()
            ) }}
    end
{%- endmacro %}

{# The sum of a column, likewise. #}
{% macro sum_of_known(amount) -%}
    case when count({{ amount }}) = count(*) then sum({{ amount }}) end
{%- endmacro %}
