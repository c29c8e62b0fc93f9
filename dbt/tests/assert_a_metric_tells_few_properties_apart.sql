-- A roll-up looks at so many of a counter's properties; what lies beyond would be one group.
select
    metric_code,
    dimension_keys
from {{ ref('int_metrics_defined') }}
where cardinality(dimension_keys) > {{ most_dimensions() }}
