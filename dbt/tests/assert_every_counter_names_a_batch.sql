-- A build takes counters by their batch. One without a batch would be on neither road of
-- fct_usage_conservation: lost, and no difference to show for it.
select
    counters.service_code,
    counters.external_subscription_id,
    counters.transaction_id,
    counters.batch_id
from {{ ref('stg_usage__counters') }} as counters
left join {{ ref('stg_usage__batches') }} as batches
    on counters.batch_id = batches.batch_id
where batches.batch_id is null
