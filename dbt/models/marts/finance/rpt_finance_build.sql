-- What finance's marts were built from. They come after it, so what lands meanwhile counts as newer
-- even where some of them have seen it: a close may ask for another build, never miss one.

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
