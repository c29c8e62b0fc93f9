{# The first day of the month that a day lies in. By timestamp: a bare date would become an instant
   of the session's time zone and back, which costs more than the truncating. #}
{% macro month_of(day) -%}
    date_trunc('month', ({{ day }})::timestamp)::date
{%- endmacro %}

{# The months that a half-open span of days touches, one row each, with the span's days in it. #}
{% macro months_of(first_day, day_after) -%}
    (
        select
            months.month_start::date as month,
            least((months.month_start + interval '1 month')::date, {{ day_after }})
            - greatest(months.month_start::date, {{ first_day }}) as days
        from
            generate_series(
                date_trunc('month', {{ first_day }}::timestamp),
                ({{ day_after }} - 1)::timestamp,
                interval '1 month'
            ) as months (month_start)
    )
{%- endmacro %}
