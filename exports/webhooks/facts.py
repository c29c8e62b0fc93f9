"""What Odoo's mirror shows and the outbox has not written down yet, as two queries.

A fact has a subject, a subscription or an invoice of one service. What was told of a subject last
says what is news: a subscription that was started and is no longer served has terminated. Each
fact gets a `source_key` of its own, numbered where it can happen again.
"""

from __future__ import annotations

# Odoo's JSON says `false` where a field is unset.
SUBSCRIPTIONS = """
with

orders as (
    select
        id,
        record,
        write_date,
        nullif(record ->> 'x_fc_service_code', 'false') as service_code,
        nullif(record ->> 'x_fc_external_id', 'false') as external_id,
        nullif(record ->> 'start_date', 'false')::date as start_date,
        nullif(record ->> 'end_date', 'false')::date as end_date,
        -- Community has no subscription_state: a confirmed order is served.
        coalesce(nullif(record ->> 'subscription_state', 'false'), '3_progress') as progress,
        deleted_at is null and record ->> 'state' = 'sale' as is_confirmed
    from raw.odoo_subscription
),

judged as (
    select
        *,
        -- The end date is the last day of service.
        is_confirmed
        and progress in ('3_progress', '4_paused')
        and coalesce(end_date >= :today, true) as is_current,
        coalesce(start_date <= :today, true) as has_begun,
        is_confirmed
        and (
            progress = '6_churn'
            or (progress not in ('5_renewed', '7_upsell') and end_date < :today)
        ) as has_ended,
        -- The last order of all was renewed: by one that was not given the subscription's id.
        is_confirmed
        and progress = '5_renewed'
        and id = first_value(id) over (
            partition by service_code, external_id
            order by
                (is_confirmed and progress <> '7_upsell') desc,
                start_date desc nulls last,
                id desc
        ) as goes_on_unseen
    from orders
    where service_code in (select service_code from ops.webhook_service) and external_id <> ''
),

subscriptions as (
    select
        service_code,
        'subscription:' || external_id as subject,
        bool_or(is_current and has_begun) as is_served,
        bool_or(is_current or goes_on_unseen) as is_or_will_be,
        bool_or(has_ended) as has_ended,
        (
            array_agg(
                id
                order by
                    (is_current and has_begun) desc,
                    has_ended desc,
                    is_confirmed desc,
                    start_date desc nulls last,
                    id desc
            )
        )[1] as order_id
    from judged
    group by service_code, external_id
),

told as (
    select
        service_code,
        subject,
        (array_agg(fact order by event_no desc))[1] as fact,
        count(*) filter (where fact = 'started') as times
    from ops.webhook_event
    where fact in ('started', 'terminated')
    group by service_code, subject
),

news as (
    select
        service_code,
        subject,
        order_id,
        case
            when is_served and coalesce(told.fact, 'terminated') = 'terminated' then 'started'
            when told.fact = 'started' and not coalesce(is_or_will_be, false) then 'terminated'
            -- Began and ended between two looks.
            when told.fact is null and has_ended and not is_or_will_be then 'terminated'
        end as fact,
        coalesce(told.times, 0) as times
    from subscriptions
    full join told using (service_code, subject)
)

select
    news.service_code,
    news.subject,
    news.subject as ordering_key,
    news.fact,
    'subscription.' || news.fact || ':' || news.service_code || ':'
    || substr(news.subject, 14) || ':'
    || case when news.fact = 'started' then news.times + 1 else news.times end as source_key,
    judged.record::text as record,
    judged.write_date,
    judged.end_date as happened_on,
    judged.start_date as began_on,
    coalesce(currency.record ->> 'name', '') as currency
from news
left join judged on news.order_id = judged.id
left join raw.odoo_currency as currency
    on nullif(judged.record ->> 'currency_id', 'false')::bigint = currency.id
where news.fact is not null
"""

INVOICES = """
with

sold as (
    select
        nullif(line.record ->> 'move_id', 'false')::bigint as invoice_id,
        line.id as line_id,
        line.record as line,
        line.deleted_at,
        min(nullif(orders.record ->> 'x_fc_service_code', 'false')) as service_code,
        min(nullif(orders.record ->> 'x_fc_external_id', 'false')) as external_id,
        min(nullif(orders.record ->> 'x_fc_external_account_id', 'false')) as customer_id,
        min(nullif(orders.record ->> 'x_fc_plan_code', 'false')) as plan_code
    from raw.odoo_invoice_line as line
    cross join lateral jsonb_array_elements_text(
        case jsonb_typeof(line.record -> 'sale_line_ids')
            when 'array' then line.record -> 'sale_line_ids'
            else '[]'
        end
    ) as sale_line (id)
    inner join raw.odoo_order_line as order_line on sale_line.id::bigint = order_line.id
    inner join raw.odoo_subscription as orders
        on nullif(order_line.record ->> 'order_id', 'false')::bigint = orders.id
    group by line.id
),

shares as (
    select
        invoice.id as invoice_id,
        sold.service_code,
        min(sold.external_id) as external_id,
        min(sold.customer_id) as customer_id,
        -- Over the groups: of all services, listening or not, and of none.
        count(*) over (partition by invoice.id) = 1 as is_one_services,
        json_agg(
            json_build_object(
                'line_id', sold.line_id,
                'external_id', sold.external_id,
                'plan_code', sold.plan_code,
                'name', sold.line ->> 'name',
                'quantity', sold.line ->> 'quantity',
                'subtotal', sold.line ->> 'price_subtotal',
                'total', sold.line ->> 'price_total'
            )
            order by sold.line_id
        ) as lines
    from sold
    inner join raw.odoo_invoice as invoice
        on
            sold.invoice_id = invoice.id
            and (sold.deleted_at is null or invoice.deleted_at is not null)
    where invoice.record ->> 'move_type' = 'out_invoice'
    group by invoice.id, sold.service_code
),

told as (
    select
        service_code,
        subject,
        (array_agg(ordering_key order by event_no))[1] as ordering_key,
        (
            array_agg(fact order by event_no desc) filter (where fact in ('created', 'voided'))
        )[1] as standing,
        (
            array_agg(fact order by event_no desc) filter (where fact in ('succeeded', 'failed'))
        )[1] as payment,
        count(*) filter (where fact = 'created') as times_created,
        count(*) filter (where fact = 'succeeded') as times_paid
    from ops.webhook_event
    where subject like 'invoice:%'
    group by service_code, subject
),

compared as (
    select
        shares.*,
        invoice.record,
        invoice.write_date,
        nullif(invoice.record ->> 'invoice_date', 'false')::date as invoice_date,
        -- Absent from mirrors of an earlier version: such an invoice is never overdue.
        nullif(invoice.record ->> 'invoice_date_due', 'false')::date as due_date,
        invoice.deleted_at is null and invoice.record ->> 'state' = 'posted' as is_posted,
        invoice.record ->> 'payment_state' as payment_state,
        invoice.deleted_at is not null or invoice.record ->> 'state' = 'cancel' as is_gone,
        'invoice:' || shares.invoice_id as subject,
        coalesce(told.ordering_key, 'subscription:' || shares.external_id) as ordering_key,
        told.standing,
        told.payment,
        coalesce(told.times_created, 0) as times_created,
        coalesce(told.times_paid, 0) as times_paid
    from shares
    inner join raw.odoo_invoice as invoice on shares.invoice_id = invoice.id
    left join told
        on
            shares.service_code = told.service_code
            and 'invoice:' || shares.invoice_id = told.subject
    where
        shares.service_code in (select service_code from ops.webhook_service)
        and shares.external_id <> ''
),

news as (
    select compared.*, fact, source, happened_on
    from compared
    cross join lateral (
        values
        (
            'created',
            is_posted and payment_state <> 'reversed' and coalesce(standing, 'voided') = 'voided',
            'created:' || times_created + 1,
            invoice_date
        ),
        (
            'overdue',
            is_posted and payment_state in ('not_paid', 'partial') and due_date < :today,
            'payment_overdue:' || due_date,
            due_date
        ),
        (
            'succeeded',
            is_posted
            and payment_state in ('paid', 'in_payment')
            and coalesce(payment, 'failed') = 'failed',
            'payment_succeeded:' || times_paid + 1,
            cast(null as date)
        ),
        (
            'failed',
            is_posted and payment_state in ('not_paid', 'partial') and payment = 'succeeded',
            'payment_failed:' || times_paid,
            cast(null as date)
        ),
        (
            'voided',
            standing = 'created' and (is_gone or (is_posted and payment_state = 'reversed')),
            'voided:' || times_created,
            cast(null as date)
        )
    ) as facts (fact, holds, source, happened_on)
    where holds
)

select
    news.service_code,
    news.subject,
    news.ordering_key,
    news.fact,
    'invoice.' || news.source || ':' || news.service_code || ':' || news.invoice_id as source_key,
    news.record::text as record,
    news.write_date,
    news.happened_on,
    news.due_date,
    news.is_gone or news.payment_state = 'reversed' as is_void,
    news.is_posted and news.payment_state in ('not_paid', 'partial') and news.due_date < :today
        as is_overdue,
    news.customer_id,
    news.lines,
    news.is_one_services,
    coalesce(currency.record ->> 'name', '') as currency
from news
left join raw.odoo_currency as currency
    on nullif(news.record ->> 'currency_id', 'false')::bigint = currency.id
where not exists (
    select from ops.webhook_event as event
    where
        event.source_key
        = 'invoice.' || news.source || ':' || news.service_code || ':' || news.invoice_id
)
"""
