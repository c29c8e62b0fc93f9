-- What the roll-ups need to know of a metric: how it adds up, which properties its charges tell
-- apart, and whether single counters are needed to price it. `definition` changes when any of it
-- does: the metric is then rolled up anew.

with

metrics as (
    select * from {{ ref('stg_odoo__metrics') }}
),

charges as (
    select * from {{ ref('int_charges_priced') }}
),

told_apart as (
    select
        metric_code,
        jsonb_object_keys(filter_values) as property
    from charges

    union

    select
        metric_code,
        unnest(pricing_group_keys) as property
    from charges
),

dimensions as (
    select
        metric_code,
        array_agg(property order by property collate "C") as dimension_keys
    from told_apart
    group by 1
),

-- A percentage with something free, or with limits for one transaction, is priced event by event;
-- so are prorated tiers, where each event climbs on from where the one before it stood.
priced_by_event as (
    select distinct metric_code
    from charges
    where
        (
            charge_model = 'percentage'
            and coalesce(free_events, free_amount, transaction_min, transaction_max) is not null
        )
        or (charge_model = 'graduated' and prorated)
),

-- Two metrics of one code are refused by a test; until then they must not double the counters.
defined as (
    select distinct on (metrics.metric_code)
        metrics.metric_code,
        metrics.aggregation,
        metrics.field_name,
        dimensions.dimension_keys,
        metrics.aggregation in ('unique', 'weighted_sum')
        or priced_by_event.metric_code is not null as needs_events
    from metrics
    left join dimensions
        on metrics.metric_code = dimensions.metric_code
    left join priced_by_event
        on metrics.metric_code = priced_by_event.metric_code
    where
        metrics.metric_code is not null
        and metrics.aggregation is not null
    order by metrics.metric_code, metrics.odoo_metric_id
),

final as (
    select
        metric_code,
        aggregation,
        field_name,
        dimension_keys,
        needs_events,
        jsonb_build_array(aggregation, field_name, dimension_keys)::text as definition
    from defined
)

select * from final
