{# Settings of the company that shape the arithmetic; the process that runs dbt exports them. #}

{% macro company_timezone() -%}
    '{{ env_var("COMPANY_TIMEZONE", "America/Toronto") }}'
{%- endmacro %}

{% macro company_currency() -%}
    '{{ env_var("COMPANY_CURRENCY", "CAD") }}'
{%- endmacro %}

{% macro usage_grace_hours() -%}
    {{ env_var("USAGE_GRACE_HOURS", "24") | int }}
{%- endmacro %}

{# The local calendar day that an instant falls on. #}
{% macro local_day(instant) -%}
    ({{ instant }} at time zone {{ company_timezone() }})::date
{%- endmacro %}

{# The instant at which a local calendar day begins, on 23- and 25-hour days too. #}
{% macro day_start(day) -%}
    ({{ day }}::timestamp at time zone {{ company_timezone() }})
{%- endmacro %}

{# Half-up to the currency's minor unit (ISO 4217), away from zero as Lago and Odoo round. #}
{% macro round_money(amount, currency) -%}
    round(
        {{ amount }},
        case
            when {{ currency }} in ('BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG',
                                    'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF') then 0
            when {{ currency }} in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3
            else 2
        end
    )
{%- endmacro %}
