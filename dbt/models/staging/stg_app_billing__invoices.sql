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
        count(*) as lines,
        sum(amount) as amount,
        sum(tax_amount) as tax_amount
    from lines
    group by 1, 2, 3
),

-- Lago's fees and items, Stripe's lines.
exported as (
    select
        *,
        coalesce(
            payload -> 'fees', payload -> 'items', payload #> '{lines,data}', '[]'::jsonb
        ) as exported_lines
    from newest
),

final as (
    select
        exported.source || ':' || exported.external_invoice_id as app_invoice_key,
        exported.source as app_source,
        exported.external_invoice_id,
        exported.version,
        exported.kind as invoice_kind,
        exported.invoice_number,
        exported.corrects_invoice_id,
        exported.service_code,
        exported.service_code || ':' || exported.external_account_id as account_key,
        exported.status,
        exported.is_billed,
        jsonb_array_length(exported.exported_lines)
        > coalesce(line_totals.lines, 0) as has_unread_lines,
        exported.issued_on,
        exported.currency,
        exported.net_amount,
        exported.discount_amount,
        exported.tax_amount,
        exported.total_amount,
        coalesce(line_totals.lines, 0)::int as lines,
        coalesce(line_totals.amount, 0) as lines_amount,
        coalesce(line_totals.tax_amount, 0) as lines_tax_amount,
        exported.loaded_at
    from exported
    left join line_totals
        on exported.source = line_totals.source
            and exported.external_invoice_id = line_totals.external_invoice_id
            and exported.version = line_totals.version
)

select * from final
