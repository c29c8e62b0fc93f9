with

charges as (
    select * from {{ ref('int_charges_priced') }}
),

batches as (
    select * from {{ ref('stg_usage__batches') }}
),

-- "Now" is the last reception, as for periods: a rebuild of the same rows gives the same answer.
newest as (
    select coalesce(max({{ local_day('received_at') }}), '9999-12-31') as local_day
    from batches
),

dated as (
    select
        charges.*,
        coalesce(charges.valid_from <= newest.local_day, true) as has_begun
    from charges
    cross join newest
),

-- The version in force; of a charge that ended, the last one, of one to come, the first.
ranked as (
    select
        *,
        row_number() over (
            partition by charge_key
            order by
                has_begun desc,
                case when has_begun then valid_from end desc nulls last,
                valid_from asc,
                odoo_charge_id desc
        ) as rank
    from dated
),

final as (
    select
        charge_key,
        charge_group,
        charge_code,
        variant,
        plan_code,
        metric_code,
        charge_name,
        unit,
        charge_model,
        unit_price,
        quantity_included,
        filter_values,
        pricing_group_keys,
        valid_from,
        valid_to,
        currency,
        odoo_charge_id,
        odoo_product_id
    from ranked
    where rank = 1
)

select * from final
