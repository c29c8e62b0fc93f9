-- What finance's marts were built from, as one build saw it. What lands within the minute of that
-- build may be in some of them and not in others, and counts as seen.

with

rating as (
    select * from {{ ref('rpt_rating_build') }}
),

invoices as (
    select * from {{ ref('stg_app_billing__invoices') }}
),

mirror as (
    select * from {{ ref('stg_ops__mirror_progress') }}
),

-- The newest versions, numbered from 1: each document and each change of one adds to their sum.
documents as (
    select coalesce(sum(version), 0)::bigint as versions
    from invoices
),

mirrored as (
    select coalesce(max(read_at), '-infinity') as read_at
    from mirror
),

final as (
    select
        '{{ invocation_id }}'::text as build_id,
        rating.build_id as rating_build_id,
        documents.versions as app_document_versions,
        mirrored.read_at as odoo_read_at
    from rating
    cross join documents
    cross join mirrored
)

select * from final
