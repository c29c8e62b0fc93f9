with

charges as (
    select * from {{ ref('stg_odoo__charges') }}
),

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

-- A plan's minimum commitment counts nothing; any other charge without its metric is no charge.
metered as (
    select
        charges.*,
        metrics.metric_code,
        metrics.metric_name,
        metrics.aggregation,
        metrics.field_name,
        metrics.recurring,
        metrics.rounding_function,
        metrics.rounding_precision,
        metrics.metric_filters,
        metrics.unit,
        charges.plan_code || '/' || charges.charge_code as charge_group
    from charges
    left join metrics
        on charges.odoo_metric_id = metrics.odoo_metric_id
    where metrics.odoo_metric_id is not null or charges.charge_model = 'minimum_commitment'
),

-- "Any value" is any that the metric knows, as in Lago; a property it does not know has none.
filter_properties as (
    select
        metered.odoo_charge_id,
        property.name,
        case
            when property.accepted ? '__ALL_FILTER_VALUES__'
                then coalesce(metered.metric_filters -> property.name, '[]'::jsonb)
            else property.accepted
        end as accepted
    from metered
    cross join lateral jsonb_each(metered.filters) as property (name, accepted)
),

filters as (
    select
        odoo_charge_id,
        jsonb_object_agg(name, accepted) as filter_values,
        count(*)::integer as filter_size
    from filter_properties
    group by odoo_charge_id
),

final as (
    select
        case
            when metered.variant <> '' then metered.charge_group || '/' || metered.variant
            else metered.charge_group
        end as charge_key,
        metered.charge_group,
        coalesce(metered.variant, '') as variant,
        metered.plan_code,
        metered.charge_code,
        metered.charge_name,
        metered.metric_code,
        metered.metric_name,
        metered.aggregation,
        metered.field_name,
        coalesce(metered.recurring, false) as recurring,
        metered.rounding_function,
        coalesce(metered.rounding_precision, 0) as rounding_precision,
        metered.unit,
        metered.charge_model,
        metered.unit_price,
        metered.package_size,
        coalesce(metered.free_units, 0) as free_units,
        metered.rate,
        coalesce(metered.fixed_amount, 0) as fixed_amount,
        metered.free_events,
        metered.free_amount,
        metered.transaction_min,
        metered.transaction_max,
        coalesce(metered.quantity_included, 0) as quantity_included,
        filters.filter_values,
        coalesce(filters.filter_size, 0) as filter_size,
        coalesce(metered.pricing_group_keys, '{}'::text[]) as pricing_group_keys,
        coalesce(metered.prorated, false) as prorated,
        metered.min_amount,
        metered.valid_from,
        metered.valid_to,
        metered.currency,
        metered.odoo_charge_id,
        metered.odoo_product_id
    from metered
    left join filters
        on metered.odoo_charge_id = filters.odoo_charge_id
)

select * from final
