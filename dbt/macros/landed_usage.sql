{# Transactions below it are in int_usage_landed already. #}
{% macro landed_below() -%}
    {%- if is_incremental() -%}
    coalesce((select max(landed.high_water_xid) from {{ this }} as landed), 0)
    {%- else -%}
        0
    {%- endif -%}
{%- endmacro %}

{# Bounds that let the block range index find the counters of `new_batches`; all of raw is read
   faster without. #}
{% macro within_new_batches(batch_id) -%}
    {%- if is_incremental() -%}
    {{ batch_id }} >= (select min(bounds.batch_id) from new_batches as bounds)
    and {{ batch_id }} <= (select max(bounds.batch_id) from new_batches as bounds)
    {%- else -%}
        true
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of int_usage_landed, in its transaction: what was added up is forgotten, and all of raw
   is read again, where a metric is read otherwise than then, where a column of today was not told
   (through jsonb, as it may not be there yet), or where the batches below the line are not those
   that were added up (a restored server). #}
{% macro forget_landed_usage() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
    where
        exists (
            select
            from {{ this }} as landed
            left join {{ ref('stg_odoo__metrics') }} as metrics
                on
                    landed.metric_code = metrics.metric_code
                    and metrics.aggregation is not null
            where
                (landed.aggregation, landed.field_name)
                is distinct from (metrics.aggregation, metrics.field_name)
                or to_jsonb(landed) ->> 'last_day' is null
        )
        or (
            select max(landed.high_water_xid) > snapshot.high_water_xid
            from {{ this }} as landed
            cross join {{ ref('stg_usage__snapshot') }} as snapshot
            group by snapshot.high_water_xid
        )
        or (select sum(landed.counters) from {{ this }} as landed) <> (
            select sum(batches.counters)
            from {{ ref('stg_usage__batches') }} as batches
            where batches.xid < (select max(landed.high_water_xid) from {{ this }} as landed)
        )
    {%- endif -%}
{%- endmacro %}
