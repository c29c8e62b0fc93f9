-- What an app billed for one charge, or as a base fee, and period, over all of its invoices, and
-- how much of it are copies, prorations and credits.

with

lines as (
    select * from {{ ref('int_app_lines_placed') }}
),

final as (
    select
        service_code,
        subscription_key,
        item_type,
        metric_code,
        period_start,
        min(account_key) as account_key,
        string_agg(distinct currency, ' and ' order by currency) as currency,
        count(distinct external_invoice_id) filter (where part <> 'credit') as invoices,
        count(*) filter (where part <> 'credit') as lines,
        sum(quantity) as quantity,
        sum(amount) as amount,
        sum(discount_amount) as discount_amount,
        sum(tax_amount) as tax_amount,
        {% for part in ['copy', 'proration', 'credit'] -%}
            coalesce(sum(quantity) filter (where part = '{{ part }}'), 0) as {{ part }}_quantity,
            coalesce(sum(amount) filter (where part = '{{ part }}'), 0) as {{ part }}_amount,
            coalesce(sum(discount_amount) filter (where part = '{{ part }}'), 0)
                as {{ part }}_discount,
            count(*) filter (where part = '{{ part }}') as {{ part }}_lines,
        {% endfor -%}
        min(period_from) filter (where part <> 'credit') as period_from,
        max(period_to) filter (where part <> 'credit') as period_to,
        min(app_period_start) filter (where part <> 'credit') as app_period_start,
        max(app_period_end) filter (where part <> 'credit') as app_period_end,
        coalesce(bool_or(is_shifted) filter (where part in ('line', 'copy')), false) as is_shifted
    from lines
    group by 1, 2, 3, 4, 5
)

select * from final
