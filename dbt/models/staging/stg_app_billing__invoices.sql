-- The newest version of every document that an app's old biller issued.

with

invoices as (
    select * from {{ source('raw', 'app_invoice') }}
),

lines as (
    select * from {{ source('raw', 'app_billing_line') }}
),

newest as (
    select distinct on (source, external_invoice_id) *
    from invoices
    order by source asc, external_invoice_id asc, version desc
),

line_totals as (
    select
        source,
        external_invoice_id,
        version,
        count(*)::int as lines,
        sum(amount) as amount,
        sum(tax_amount) as tax_amount
    from lines
    group by 1, 2, 3
),

-- A refund of Stripe names the payment; the invoice knows it, or the credit note that made it.
paid as (
    select
        coalesce(corrects_invoice_id, external_invoice_id) as external_invoice_id,
        jsonb_array_elements_text(
            jsonb_path_query_array(payload, '$.charge')
            || jsonb_path_query_array(payload, '$.payment_intent')
            || jsonb_path_query_array(payload, '$.payments.data[*].payment.charge')
            || jsonb_path_query_array(payload, '$.payments.data[*].payment.payment_intent')
            || jsonb_path_query_array(payload, '$.refund')
            || jsonb_path_query_array(payload, '$.refunds[*].refund')
        ) as reference
    from newest
    where source = 'stripe' and kind <> 'refund'
),

refunded as (
    select
        refunds.external_invoice_id,
        min(paid.external_invoice_id) as corrects_invoice_id
    from newest as refunds
    inner join paid
        on paid.reference in (
                refunds.external_invoice_id,
                refunds.payload ->> 'charge',
                refunds.payload ->> 'payment_intent'
            )
    where refunds.source = 'stripe' and refunds.kind = 'refund'
    group by 1
),

exported as (
    select
        newest.*,
        coalesce(newest.corrects_invoice_id, refunded.corrects_invoice_id) as of_invoice_id,
        -- Lago's fees and items, Stripe's lines.
        coalesce(
            newest.payload -> 'fees', newest.payload -> 'items', newest.payload #> '{lines,data}'
        ) as exported_lines
    from newest
    left join refunded
        on newest.kind = 'refund' and newest.external_invoice_id = refunded.external_invoice_id
),

final as (
    select
        exported.source || ':' || exported.external_invoice_id as app_invoice_key,
        exported.source as app_source,
        exported.external_invoice_id,
        exported.version,
        exported.kind as invoice_kind,
        exported.invoice_number,
        exported.of_invoice_id as corrects_invoice_id,
        exported.service_code,
        exported.service_code || ':' || coalesce(
            corrected.external_account_id, exported.external_account_id
        ) as account_key,
        exported.status,
        exported.is_billed,
        case
            when jsonb_typeof(exported.exported_lines) = 'array'
                then jsonb_array_length(exported.exported_lines) > coalesce(line_totals.lines, 0)
            else false
        end as has_unread_lines,
        exported.issued_on,
        exported.currency,
        exported.net_amount,
        exported.discount_amount,
        exported.tax_amount,
        exported.total_amount,
        coalesce(line_totals.lines, 0) as lines,
        coalesce(line_totals.amount, 0) as lines_amount,
        coalesce(line_totals.tax_amount, 0) as lines_tax_amount,
        exported.loaded_at
    from exported
    left join line_totals
        on
            exported.source = line_totals.source
            and exported.external_invoice_id = line_totals.external_invoice_id
            and exported.version = line_totals.version
    left join newest as corrected
        on
            exported.source = corrected.source
            and exported.of_invoice_id = corrected.external_invoice_id
)

select * from final
