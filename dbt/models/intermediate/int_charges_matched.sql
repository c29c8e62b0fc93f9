-- Which variant of a charge takes usage with which properties, for as long as the catalogue stays
-- as it is. Of the filters that match, the one that names most properties; of those the one that
-- accepts fewest values, as Lago's wider filter ignores what a narrower one takes; else the default
-- bucket. Without any, usage has a charge in the plan, and no variant.

with

dimensions as (
    select * from {{ ref('int_usage_dimensions') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
    where metric_code is not null
),

dimension_values as (
    select
        dimensions.metric_code,
        dimensions.dimensions,
        property.name,
        property.value
    from dimensions
    cross join lateral jsonb_each_text(dimensions.dimensions) as property (name, value)
),

filter_values as (
    select
        charges.odoo_charge_id,
        charges.metric_code,
        charges.filter_size,
        property.name,
        accepted.value
    from charges
    cross join lateral jsonb_each(charges.filter_values) as property (name, accepted)
    cross join lateral jsonb_array_elements_text(property.accepted) as accepted (value)
),

filters_sized as (
    select
        odoo_charge_id,
        count(*) as values_accepted
    from filter_values
    group by 1
),

filters_matched as (
    select
        filter_values.odoo_charge_id,
        dimension_values.dimensions
    from filter_values
    inner join dimension_values
        on
            filter_values.metric_code = dimension_values.metric_code
            and filter_values.name = dimension_values.name
            and filter_values.value = dimension_values.value
    group by 1, 2, filter_values.filter_size
    having count(distinct filter_values.name) = filter_values.filter_size
),

boundaries as (
    select
        plan_code,
        metric_code,
        coalesce(valid_from, '-infinity') as valid_from
    from charges

    union

    select
        plan_code,
        metric_code,
        valid_to + 1 as valid_from
    from charges
    where valid_to is not null
),

spans as (
    select
        plan_code,
        metric_code,
        valid_from,
        coalesce(
            lead(valid_from) over (partition by plan_code, metric_code order by valid_from),
            'infinity'
        ) as valid_before
    from boundaries
),

candidates as (
    select
        spans.plan_code,
        spans.metric_code,
        spans.valid_from,
        spans.valid_before,
        dimensions.dimensions,
        charges.charge_key,
        charges.odoo_charge_id,
        charges.pricing_group_keys,
        charges.filter_size,
        filters_sized.values_accepted,
        charges.filter_size = 0 or filters_matched.odoo_charge_id is not null as is_match
    from spans
    inner join charges
        on
            spans.plan_code = charges.plan_code
            and spans.metric_code = charges.metric_code
            and spans.valid_from >= coalesce(charges.valid_from, '-infinity')
            and spans.valid_from <= coalesce(charges.valid_to, 'infinity')
    inner join dimensions
        on charges.metric_code = dimensions.metric_code
    left join filters_sized
        on charges.odoo_charge_id = filters_sized.odoo_charge_id
    left join filters_matched
        on
            charges.odoo_charge_id = filters_matched.odoo_charge_id
            and dimensions.dimensions = filters_matched.dimensions
),

ranked as (
    select
        *,
        row_number() over (
            partition by plan_code, metric_code, valid_from, dimensions
            order by is_match desc, filter_size desc, values_accepted asc, charge_key asc
        ) as preference
    from candidates
),

preferred as (
    select
        plan_code,
        metric_code,
        valid_from,
        valid_before,
        dimensions,
        case when is_match then charge_key end as charge_key,
        case when is_match then odoo_charge_id end as odoo_charge_id,
        pricing_group_keys
    from ranked
    where preference = 1
),

-- No value and an empty one are one group, as in Lago.
groups as (
    select
        preferred.plan_code,
        preferred.metric_code,
        preferred.valid_from,
        preferred.dimensions,
        jsonb_object_agg(
            group_keys.name, nullif(preferred.dimensions ->> group_keys.name, '')
        )::text as group_key
    from preferred
    cross join lateral unnest(preferred.pricing_group_keys) as group_keys (name)
    group by 1, 2, 3, 4
),

final as (
    select
        preferred.plan_code,
        preferred.metric_code,
        preferred.valid_from,
        preferred.valid_before,
        preferred.dimensions,
        preferred.charge_key,
        preferred.odoo_charge_id,
        coalesce(groups.group_key, '') as group_key
    from preferred
    left join groups
        on
            preferred.plan_code = groups.plan_code
            and preferred.metric_code = groups.metric_code
            and preferred.valid_from = groups.valid_from
            and preferred.dimensions = groups.dimensions
)

select * from final
