-- The lines of the newest version of every document that an app's old biller issued. Credit notes
-- are negative.

with

invoices as (
    select * from {{ source('raw', 'app_invoice') }}
),

lines as (
    select * from {{ source('raw', 'app_billing_line') }}
),

newest as (
    select distinct on (source, external_invoice_id)
        source,
        external_invoice_id,
        version,
        kind,
        corrects_invoice_id,
        is_billed
    from invoices
    order by source asc, external_invoice_id asc, version desc
),

current_lines as (
    select
        lines.*,
        newest.kind,
        newest.corrects_invoice_id,
        newest.is_billed
    from lines
    inner join newest
        on lines.source = newest.source
            and lines.external_invoice_id = newest.external_invoice_id
            and lines.version = newest.version
),

-- A line of Stripe's credit note names the invoice's line and nothing else of it; an item of Lago's
-- names its fee, which of a commitment has no dates.
credited as (
    select
        source,
        external_invoice_id,
        external_line_id,
        external_account_id,
        external_subscription_id,
        item_type,
        metric_code,
        period_from,
        period_to,
        is_proration
    from current_lines
    where kind = 'invoice'
),

-- A line that a person wrote on Stripe's credit note names a metric and no line.
credited_metrics as (
    select
        source,
        external_invoice_id,
        metric_code,
        case
            when min(external_account_id) = max(external_account_id)
                then min(external_account_id)
        end as external_account_id,
        case
            when min(external_subscription_id) = max(external_subscription_id)
                then min(external_subscription_id)
        end as external_subscription_id,
        min(period_from) as period_from,
        max(period_to) as period_to
    from credited
    where item_type = 'charge'
    group by 1, 2, 3
),

completed as (
    select
        lines.source,
        lines.external_invoice_id,
        lines.external_line_id,
        lines.kind,
        lines.invoice_number,
        lines.corrects_invoice_id,
        lines.service_code,
        lines.quantity,
        lines.amount,
        lines.discount_amount,
        lines.tax_amount,
        lines.currency,
        lines.status,
        lines.is_billed,
        lines.issued_on,
        coalesce(
            credited.external_account_id,
            credited_metrics.external_account_id,
            lines.external_account_id
        ) as external_account_id,
        coalesce(
            lines.external_subscription_id,
            credited.external_subscription_id,
            credited_metrics.external_subscription_id
        ) as external_subscription_id,
        case when lines.item_type = 'other' then coalesce(credited.item_type, 'other')
            else lines.item_type
        end as item_type,
        coalesce(lines.metric_code, credited.metric_code) as metric_code,
        coalesce(lines.period_from, credited.period_from, credited_metrics.period_from)
            as period_from,
        coalesce(lines.period_to, credited.period_to, credited_metrics.period_to)
            as period_to,
        lines.is_proration or coalesce(credited.is_proration, false) as is_proration
    from current_lines as lines
    left join credited
        on lines.source = credited.source
            and lines.kind = 'credit_note'
            and lines.corrects_invoice_id = credited.external_invoice_id
            and coalesce(
                lines.payload ->> 'invoice_line_item', lines.payload #>> '{fee,lago_id}'
            ) = credited.external_line_id
    left join credited_metrics
        on lines.source = credited_metrics.source
            and lines.kind = 'credit_note'
            and lines.item_type = 'charge'
            and lines.corrects_invoice_id = credited_metrics.external_invoice_id
            and lines.metric_code = credited_metrics.metric_code
),

final as (
    select
        source || ':' || external_invoice_id || ':' || external_line_id as app_line_key,
        source as app_source,
        external_invoice_id,
        external_line_id,
        kind as invoice_kind,
        invoice_number,
        corrects_invoice_id,
        service_code,
        service_code || ':' || external_account_id as account_key,
        service_code || ':' || external_subscription_id as subscription_key,
        item_type,
        metric_code,
        period_from,
        period_to,
        {{ local_day('period_from') }} as period_start,
        {{ local_day('period_to') }} as period_end,
        quantity,
        amount,
        discount_amount,
        tax_amount,
        currency,
        status,
        is_billed,
        is_proration,
        issued_on
    from completed
)

select * from final
