-- Whether this build rates everything anew, or only the subscriptions that something happened to
-- since the last build that ended: all it goes by is the same then, prices, settings and code.

with

charges as (
    select * from {{ ref('int_charges_priced') }}
),

charge_tiers as (
    select * from {{ ref('stg_odoo__charge_tiers') }}
),

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

progress as (
    select * from {{ ref('stg_ops__rating_progress') }}
),

snapshot as (
    select * from {{ ref('stg_usage__snapshot') }}
),

catalogue as (
    select
        md5(
            concat_ws(
                '|',
                (select jsonb_agg(to_jsonb(charges) order by odoo_charge_id)::text from charges),
                (
                    select jsonb_agg(to_jsonb(charge_tiers) order by odoo_charge_id, tier)::text
                    from charge_tiers
                ),
                (select jsonb_agg(to_jsonb(metrics) order by odoo_metric_id)::text from metrics),
                '{{ rating_settings() }}'
            )
        ) as rules
),

final as (
    select
        snapshot.build_id,
        catalogue.rules,
        coalesce(progress.rated_xid, 0) as rated_xid,
        coalesce(
            progress.rules <> catalogue.rules
            -- Transaction ids start again in a restored server.
            or progress.rated_xid >= {{ transaction_of_this_build() }}
            or {{ rated_tables_are_missing() }},
            true
        ) as is_anew
    from snapshot
    cross join catalogue
    left join progress on true
)

select * from final
