-- What finance's marts were built from, as one build saw it. What lands within the minute of that
-- build may be in some of them and not in others, and counts as seen.

with

rating as (
    select * from {{ ref('rpt_rating_build') }}
),

invoices as (
    select * from {{ ref('stg_app_billing__invoices') }}
),

cost_drivers as (
    select * from {{ ref('stg_ops__cost_drivers') }}
),

mirror as (
    select * from {{ ref('stg_ops__mirror_progress') }}
),

-- The newest versions, numbered from 1: each document and each change of one adds to their sum. One
-- that was taken back and imported anew changes neither number, but when the last was loaded.
documents as (
    select
        count(*) as documents,
        coalesce(sum(version), 0)::bigint as versions,
        coalesce(max(loaded_at), '-infinity') as loaded_at
    from invoices
),

-- By what they say: the same ones applied again are no news.
drivers as (
    select
        md5(
            coalesce(
                string_agg(
                    row(provider, sku, metric_code)::text,
                    ',' order by provider collate "C", sku collate "C"
                ),
                ''
            )
        ) as md5
    from cost_drivers
),

mirrored as (
    select coalesce(max(read_at), '-infinity') as read_at
    from mirror
),

final as (
    select
        '{{ invocation_id }}'::text as build_id,
        rating.build_id as rating_build_id,
        documents.documents as app_documents,
        documents.versions as app_document_versions,
        documents.loaded_at as app_documents_loaded_at,
        drivers.md5 as cost_drivers_md5,
        mirrored.read_at as odoo_read_at
    from rating
    cross join documents
    cross join drivers
    cross join mirrored
)

select * from final
