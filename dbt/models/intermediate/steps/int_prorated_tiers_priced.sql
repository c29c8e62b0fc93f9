-- Graduated and prorated: events in their order raise and lower the level of units in use. An
-- event's prorated value is spread over the tiers that its step passes through, in proportion; so
-- the full level chooses the tier, and what is prorated is billed.

with

fees as (
    select * from {{ ref('int_charges_metered') }}
    where charge_model = 'graduated' and prorated
),

tiers as (
    select * from {{ ref('int_charge_tiers_bounded') }}
),

-- Usage that comes without events is one step.
events as (
    select
        fees.fee_key,
        event.full_value,
        event.prorated_value,
        event.event_no,
        sum(event.full_value)
            over (partition by fees.fee_key order by event.event_no)
            as level_summed
    from fees
    cross join
        lateral unnest(
            coalesce(fees.event_values, array[fees.full_units]),
            coalesce(fees.event_prorated_values, array[fees.units])
        ) with ordinality as event (full_value, prorated_value, event_no)
    where
        fees.units <> 0
        -- What was added and is gone before the period takes no place in a tier.
        and not (event.prorated_value = 0 and event.full_value >= 0)
),

-- Nor does its removal: where that would take the level below nothing, it changes nothing.
levels as (
    select
        *,
        level_summed - least(
            0,
            min(level_summed) filter (where prorated_value = 0)
                over (partition by fee_key order by event_no)
        ) as level_after
    from events
),

steps as (
    select
        *,
        lag(level_after, 1, 0::numeric)
            over (partition by fee_key order by event_no)
            as level_before
    from levels
),

reached as (
    select
        fee_key,
        max(level_after) as highest,
        (array_agg(level_after order by event_no desc))[1] as last_level
    from steps
    group by fee_key
),

-- The quota is a tier without a price below the first. The lowest reaches down without end.
bands as (
    select
        fees.fee_key,
        tiers.tier,
        fees.quota + tiers.above as above,
        case
            when tiers.tier = 1 and fees.quota = 0 then '-infinity' else fees.quota + tiers.above
        end as low,
        fees.quota + tiers.up_to as high,
        tiers.unit_price,
        tiers.flat_amount
    from fees
    inner join tiers
        on fees.odoo_charge_id = tiers.odoo_charge_id
    union all
    select
        fee_key,
        0 as tier,
        0 as above,
        '-infinity' as low,
        quota as high,
        0 as unit_price,
        0 as flat_amount
    from fees
    where quota > 0
),

passed as (
    select
        steps.fee_key,
        bands.tier,
        steps.full_value,
        steps.prorated_value,
        least(bands.high, greatest(steps.level_before, steps.level_after))
        - greatest(bands.low, least(steps.level_before, steps.level_after)) as distance
    from steps
    inner join bands
        on
            steps.fee_key = bands.fee_key
            and bands.high > least(steps.level_before, steps.level_after)
            and bands.low < greatest(steps.level_before, steps.level_after)
),

spread as (
    select
        fee_key,
        tier,
        sum(
            case
                when distance = abs(full_value) then prorated_value
                else {{ ratio('prorated_value * distance', 'abs(full_value)') }}
            end
        ) as quantity
    from passed
    group by fee_key, tier
),

entered as (
    select
        bands.fee_key,
        bands.tier,
        bands.unit_price,
        fees.units,
        coalesce(spread.quantity, 0) as quantity,
        bands.flat_amount,
        fees.units < 0 or coalesce(reached.last_level < 0, false) as is_negative,
        sum(coalesce(spread.quantity, 0) * bands.unit_price)
            over (partition by bands.fee_key)
        < 0 as is_worth_nothing,
        coalesce(
            sum(spread.quantity) filter (where bands.tier = 0) over (partition by bands.fee_key), 0
        ) as quantity_included
    from bands
    inner join fees
        on bands.fee_key = fees.fee_key
    left join reached
        on bands.fee_key = reached.fee_key
    left join spread
        on
            bands.fee_key = spread.fee_key
            and bands.tier = spread.tier
    where bands.tier <= 1 or reached.highest > bands.above
),

clamped as (
    select
        fee_key,
        tier,
        unit_price,
        case
            when is_negative or tier > 1 then 0
            else greatest(quantity_included, 0)
        end as quantity_included,
        case when is_negative or is_worth_nothing then 0 else quantity end as quantity_billed,
        case when is_negative then 0 else flat_amount end as flat_amount,
        case when is_negative and tier = 1 then units else 0 end as quantity_negative
    from entered
    where tier > 0
),

final as (
    select
        fee_key,
        tier,
        trim_scale(quantity_billed + quantity_included + least(quantity_negative, 0))
            as quantity_used,
        trim_scale(quantity_included) as quantity_included,
        trim_scale(quantity_billed) as quantity_billed,
        unit_price,
        null::numeric as package_size,
        flat_amount,
        trim_scale(quantity_billed * unit_price + flat_amount) as amount_precise
    from clamped
)

select * from final
