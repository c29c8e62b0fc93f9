-- What the catalogue ever charged for a charge, by any version, variant or tier: an app that agrees
-- with none of it has a price of its own.

with

versions as (
    select * from {{ ref('dim_charge_version') }}
),

tiers as (
    select
        versions.charge_group,
        (tier.terms ->> 'unit_price')::numeric as unit_price,
        coalesce((tier.terms ->> 'flat_amount')::numeric, 0) as flat_amount
    from versions
    cross join lateral jsonb_array_elements(versions.tiers) as tier (terms)
),

prices as (
    select
        charge_group,
        unit_price,
        0 as flat_amount,
        false as is_tier
    from versions
    where unit_price is not null
    union
    select
        charge_group,
        unit_price,
        flat_amount,
        true as is_tier
    from tiers
    where unit_price is not null
),

priced as (
    select
        charge_group,
        max(scale(trim_scale(unit_price))) as price_digits,
        -- Two arrays of one order: the price and the flat fee of each version and tier. And of each
        -- tier alone.
        array_agg(unit_price order by unit_price, flat_amount) as known_prices,
        array_agg(flat_amount order by unit_price, flat_amount) as known_flat_amounts,
        array_agg(unit_price order by unit_price, flat_amount) filter (where is_tier)
            as tier_prices,
        array_agg(flat_amount order by unit_price, flat_amount) filter (where is_tier)
            as tier_flat_amounts
    from prices
    group by 1
),

quotas as (
    select
        charge_group,
        array_agg(distinct quantity_included) || 0::numeric as quotas
    from versions
    group by 1
),

final as (
    select
        quotas.charge_group as charge_key,
        quotas.quotas,
        coalesce(priced.price_digits, 2) as price_digits,
        coalesce(priced.known_prices, '{}') as known_prices,
        coalesce(priced.known_flat_amounts, '{}') as known_flat_amounts,
        coalesce(priced.tier_prices, '{}') as tier_prices,
        coalesce(priced.tier_flat_amounts, '{}') as tier_flat_amounts
    from quotas
    left join priced
        on quotas.charge_group = priced.charge_group
)

select * from final
