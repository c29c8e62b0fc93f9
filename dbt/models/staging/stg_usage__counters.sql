-- Without import CTEs: PostgreSQL sees through this view to the indexes of raw, and looks a meter's
-- reading before up by one step down an index. A view with a CTE would hand it all readings.
select
    service_code,
    external_subscription_id,
    transaction_id,
    batch_id,
    code,
    kind,
    window_start,
    window_end,
    {{ local_day_of_many('window_start') }} as local_day,
    value,
    revision,
    properties,
    precise_total_amount_cents,
    received_at
from {{ source('raw', 'usage_counter') }}
