{# The phase that a period of a service is in: by the newest decision in force on its first day; in
   shadow under none. `decisions` is a CTE of stg_ops__cutover. #}
{% macro phase_of(service_code, first_day) -%}
    coalesce(
        (
            select decisions.phase
            from decisions
            where
                decisions.service_code = {{ service_code }}
                and (
                    decisions.effective_from is null
                    or decisions.effective_from <= {{ first_day }}
                )
            order by decisions.change_id desc
            limit 1
        ),
        'shadow'
    )
{%- endmacro %}
