-- Finance writes `2026-03-05..2026-03-10, 2026-05-01..` on an order: inclusive days, the last of
-- them may be open. What cannot be read is here as well: a test names its order.

with

subscriptions as (
    select * from {{ ref('stg_odoo__subscriptions') }}
    where pauses is not null
),

written as (
    select
        subscriptions.odoo_order_id,
        subscriptions.order_name,
        spans.span_number::int as span_number,
        btrim(spans.span, E' \t\r\n') as span
    from subscriptions
    cross join
        lateral unnest(string_to_array(subscriptions.pauses, ','))
        with ordinality as spans (span, span_number)
),

matched as (
    select
        *,
        regexp_match(
            span, '^(\d{4})-(\d{2})-(\d{2})\s*\.\.\s*((\d{4})-(\d{2})-(\d{2}))?$'
        ) as parts
    from written
    -- A comma at the end is no pause.
    where span <> ''
),

split as (
    select
        odoo_order_id,
        order_name,
        span_number,
        span,
        parts[4] is null as is_open,
        parts[1]::int as from_year,
        parts[2]::int as from_month,
        parts[3]::int as from_day,
        parts[5]::int as until_year,
        parts[6]::int as until_month,
        parts[7]::int as until_day
    from matched
),

-- A cast of 2026-02-30 would end the build for everybody: a day is added to the month's first, and
-- stands only where it is still in that month.
dated as (
    select
        *,
        case
            when from_year > 0 and from_month between 1 and 12 and from_day > 0
                then make_date(from_year, from_month, 1) + from_day - 1
        end as paused_from,
        case
            when until_year > 0 and until_month between 1 and 12 and until_day > 0
                then make_date(until_year, until_month, 1) + until_day - 1
        end as paused_until
    from split
),

judged as (
    select
        *,
        coalesce(
            extract(month from paused_from) = from_month
            and (
                is_open
                or (extract(month from paused_until) = until_month and paused_until >= paused_from)
            ),
            false
        ) as is_readable
    from dated
),

final as (
    select
        odoo_order_id,
        span_number,
        order_name,
        span,
        is_readable,
        case when is_readable then paused_from end as paused_from,
        case when is_readable then paused_until end as paused_until
    from judged
)

select * from final
