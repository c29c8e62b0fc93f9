{# An amount of `currency` in the company's, at a rate of int_currency_rates_daily. #}
{% macro in_company_currency(amount, currency, rate) -%}
    case when {{ currency }} = {{ company_currency() }} then {{ amount }} else {{ amount }} / {{ rate }} end
{%- endmacro %}
