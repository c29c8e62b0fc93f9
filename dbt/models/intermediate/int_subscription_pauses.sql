-- Spans of paused days, inclusive, that neither overlap nor touch: a day is in one of them at most.

with

orders as (
    select * from {{ ref('int_subscription_orders') }}
),

pauses as (
    select * from {{ ref('int_pauses_read') }}
    where is_readable
),

-- A pause is its order's: it ends with it, written so or not.
clipped as (
    select
        orders.subscription_key,
        greatest(pauses.paused_from, orders.first_day) as paused_from,
        coalesce(least(pauses.paused_until, orders.last_day), 'infinity') as paused_until
    from pauses
    inner join orders
        on pauses.odoo_order_id = orders.odoo_order_id
),

ordered as (
    select
        *,
        max(paused_until) over (
            partition by subscription_key
            order by paused_from, paused_until
            rows between unbounded preceding and 1 preceding
        ) as paused_before
    from clipped
    where paused_until >= paused_from
),

numbered as (
    select
        *,
        count(*) filter (where paused_before is null or paused_before < paused_from - 1) over (
            partition by subscription_key
            order by paused_from, paused_until
            rows between unbounded preceding and current row
        ) as span_no
    from ordered
),

final as (
    select
        subscription_key,
        min(paused_from) as paused_from,
        nullif(max(paused_until), 'infinity') as paused_until
    from numbered
    group by subscription_key, span_no
)

select * from final
