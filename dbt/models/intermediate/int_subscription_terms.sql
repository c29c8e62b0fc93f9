-- All that a subscription's rating goes by beside its usage and the catalogue, as one text to
-- compare: its segments, its pauses and what its orders bill every period.

with

segments as (
    select * from {{ ref('int_subscription_segments') }}
),

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

pauses as (
    select * from {{ ref('int_subscription_pauses') }}
),

base_lines as (
    select * from {{ ref('stg_odoo__base_lines') }}
),

products as (
    select * from {{ ref('stg_odoo__products') }}
    where is_recurring
),

base_fees as (
    select
        base_lines.odoo_order_id,
        jsonb_agg(to_jsonb(base_lines) order by base_lines.odoo_line_id) as terms
    from base_lines
    inner join products
        on base_lines.odoo_product_id = products.odoo_product_id
    group by 1
),

paused as (
    select
        subscription_key,
        jsonb_agg(to_jsonb(pauses) order by paused_from) as terms
    from pauses
    group by 1
),

reached as (
    select
        subscription_key,
        max(period_end) as periods_until
    from periods
    group by 1
),

final as (
    select
        segments.subscription_key,
        segments.service_code,
        segments.external_subscription_id,
        md5(
            concat_ws(
                '|',
                jsonb_agg(
                    jsonb_build_array(to_jsonb(segments), base_fees.terms)
                    order by segments.segment_no
                )::text,
                paused.terms::text
            )
        ) as terms,
        reached.periods_until
    from segments
    left join base_fees
        on segments.odoo_order_id = base_fees.odoo_order_id
    left join paused
        on segments.subscription_key = paused.subscription_key
    left join reached
        on segments.subscription_key = reached.subscription_key
    group by 1, 2, 3, paused.terms, reached.periods_until
)

select * from final
