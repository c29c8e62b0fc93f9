-- A gap between tiers, or no open last one, would give usage away; an overlap would bill it twice.
-- Ranges follow each other as Lago's do: the next begins where the last ended, or one above.
with

charges as (
    select * from {{ ref('stg_odoo__charges') }}
),

charge_tiers as (
    select * from {{ ref('stg_odoo__charge_tiers') }}
),

followed as (
    select
        *,
        lead(from_value) over (partition by odoo_charge_id order by tier) as next_from
    from charge_tiers
),

tiered as (
    select
        odoo_charge_id,
        min(from_value) as first_from,
        bool_and(
            case
                when next_from is null then to_value is null
                else coalesce(next_from - to_value in (0, 1) and to_value >= from_value, false)
            end
        ) as follow
    from followed
    group by odoo_charge_id
)

select
    charges.odoo_charge_id,
    charges.plan_code,
    charges.charge_code,
    tiered.first_from
from charges
left join tiered
    on charges.odoo_charge_id = tiered.odoo_charge_id
where
    charges.charge_model in ('graduated', 'graduated_percentage', 'volume')
    and not coalesce(tiered.first_from = 0 and tiered.follow, false)
