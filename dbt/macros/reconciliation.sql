{# What the newest decision in force on a period's first day says; null under none. `decisions` is a
   CTE of stg_ops__cutover. #}
{% macro decided(column, service_code, first_day) -%}
    (
        select decisions.{{ column }}
        from decisions
        where
            decisions.service_code = {{ service_code }}
            and (
                decisions.effective_from is null
                or decisions.effective_from <= {{ first_day }}
            )
        order by decisions.change_id desc
        limit 1
    )
{%- endmacro %}

{# The phase that a period of a service is in: shadow under no decision. #}
{% macro phase_of(service_code, first_day) -%}
    coalesce({{ decided('phase', service_code, first_day) }}, 'shadow')
{%- endmacro %}

{# The first day of that phase; null: of all time. #}
{% macro phase_since(service_code, first_day) -%}
    {{ decided('effective_from', service_code, first_day) }}
{%- endmacro %}

{# The charge that a line belongs to, without its variant and without the mark of a true-up: what an
   app bills, and what one compares, is the metric's charge as a whole. #}
{% macro charge_as_a_whole(charge_key, plan_code) -%}
    {{ plan_code }} || '/' || split_part(substr({{ charge_key }}, length({{ plan_code }}) + 2), '/', 1)
{%- endmacro %}

{# How long a difference has stood, as finance ages its receivables. #}
{% macro ageing_bucket(days) -%}
    case
        when {{ days }} <= 7 then '0-7'
        when {{ days }} <= 30 then '8-30'
        when {{ days }} <= 90 then '31-90'
        when {{ days }} is not null then '90+'
    end
{%- endmacro %}

{# What an app billed, under the names that both kinds of items carry. #}
{% macro app_measures(apps) -%}
    {{ apps }}.currency as app_currency,
        {{ apps }}.invoices as app_invoices,
        {{ apps }}.lines as app_lines,
        {{ apps }}.quantity as app_quantity,
        {{ apps }}.amount as app_amount,
        {{ apps }}.discount_amount as app_discount,
        {{ apps }}.tax_amount as app_tax,
        {{ apps }}.copy_quantity,
        {{ apps }}.copy_amount,
        {{ apps }}.copy_discount,
        {{ apps }}.copy_lines,
        {{ apps }}.proration_quantity,
        {{ apps }}.proration_amount,
        {{ apps }}.proration_discount,
        {{ apps }}.proration_lines,
        {{ apps }}.credit_quantity,
        {{ apps }}.credit_amount,
        {{ apps }}.credit_lines,
        {{ apps }}.period_from,
        {{ apps }}.period_to,
        {{ apps }}.app_period_start,
        {{ apps }}.app_period_end,
        coalesce({{ apps }}.is_shifted, false) as is_shifted
{%- endmacro %}

{# The names that app_measures gives. #}
{% macro app_columns() -%}
    app_currency,
        app_invoices,
        app_lines,
        app_quantity,
        app_amount,
        app_discount,
        app_tax,
        copy_quantity,
        copy_amount,
        copy_discount,
        copy_lines,
        proration_quantity,
        proration_amount,
        proration_discount,
        proration_lines,
        credit_quantity,
        credit_amount,
        credit_lines,
        period_from,
        period_to,
        app_period_start,
        app_period_end,
        is_shifted
{%- endmacro %}

{# The month that a period is finance's in: that of its last day. #}
{% macro month_of_period(items) -%}
    date_trunc(
            'month', coalesce({{ items }}.period_end - 1, {{ items }}.period_start)
        )::date
{%- endmacro %}

{# What the reports sum of reconciled items. Cents, because a total of differences that net out says
   nothing: delta_cents is signed, delta_cents_gross is not. What differs by its currency has no delta,
   and adds nothing to either. #}
{% macro reconciliation_sums() -%}
    count(*) as lines,
        coalesce(sum(app_amount), 0) as app_amount,
        coalesce(sum(platform_amount), 0) as platform_amount,
        coalesce(sum(odoo_amount), 0) as odoo_amount,
        coalesce(round(100 * sum(delta) filter (where status = 'difference')), 0)::bigint
            as delta_cents,
        coalesce(round(100 * sum(abs(delta)) filter (where status = 'difference')), 0)::bigint
            as delta_cents_gross,
        count(*) filter (where ageing = '0-7') as aged_0_7_days,
        count(*) filter (where ageing = '8-30') as aged_8_30_days,
        count(*) filter (where ageing = '31-90') as aged_31_90_days,
        count(*) filter (where ageing = '90+') as aged_over_90_days,
        min(first_seen_at) as first_seen_at
{%- endmacro %}
