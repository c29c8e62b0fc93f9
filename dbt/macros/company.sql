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

{# The same for instants by the million: a named zone is looked up for each, which takes longer than
   reading its counter. The beginnings of twenty years' days are made once a query. #}
{% macro local_day_of_many(instant) -%}
    case
        when
            {{ instant }} >= {{ day_start("'2020-01-01'") }}
            and {{ instant }} < {{ day_start("'2040-01-01'") }}
            then
                '2019-12-31'::date
                + width_bucket(
                    {{ instant }},
                    array(
                        select {{ day_start("('2020-01-01'::date + days.number)") }}
                        from generate_series(0, 7304) as days (number)
                        order by days.number
                    )
                )
        else {{ local_day(instant) }}
    end
{%- endmacro %}

{# The instant at which a local calendar day begins, on 23- and 25-hour days too. #}
{% macro day_start(day) -%}
    ({{ day }}::timestamp at time zone {{ company_timezone() }})
{%- endmacro %}

{# Digits of a currency's minor unit. The exceptions to two stand in dbt_project.yml;
   warehouse.currencies reads them there too. #}
{% macro currency_digits(currency) -%}
    case
        when {{ currency }} in ('{{ var("currencies_without_minor_unit") | join("', '") }}')
            then 0
        when {{ currency }} in ('{{ var("currencies_with_three_digits") | join("', '") }}')
            then 3
        else 2
    end
{%- endmacro %}

{# Half-up to the currency's minor unit, away from zero as Lago and Odoo round. #}
{% macro round_money(amount, currency) -%}
    round(
        {{ amount }},
        {{ currency_digits(currency) }}
    )
{%- endmacro %}
