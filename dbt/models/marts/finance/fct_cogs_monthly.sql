-- The month's cost in cents. They are made here and not a day at a time: of three cents a day,
-- shared by five hundred, the small would bear nothing for ever. Within a month, service of the
-- cost, provider and SKU the cents go by the largest fraction, so that all rows together are the
-- rounded cost.

with

cogs as (
    select * from {{ ref('fct_cogs_daily') }}
),

summed as (
    select
        date_trunc('month', day)::date as month,
        cost_service_code,
        service_code,
        account_key,
        plan_code,
        metric_code,
        provider,
        sku,
        -- An amount without a rate must not drop out of the sum: null, which a test refuses.
        case when count(amount_company) = count(*) then sum(amount_company) end as amount_precise
    from cogs
    group by 1, 2, 3, 4, 5, 6, 7, 8
),

totalled as (
    select
        *,
        {{ currency_digits(company_currency()) }} as digits,
        sum(amount_precise) over of_cost as total_precise
    from summed
    window of_cost as (partition by month, cost_service_code, provider, sku)
),

-- Counted in the total's own direction, so that a credit mirrors the cost it takes back.
directed as (
    select
        *,
        case when total_precise < 0 then -1 else 1 end as direction,
        amount_precise * ('1e' || digits)::numeric as units_precise
    from totalled
),

cut as (
    select
        *,
        floor(direction * units_precise) as units
    from directed
),

ranked as (
    select
        *,
        round(direction * total_precise * ('1e' || digits)::numeric) - sum(units) over of_cost
            as units_left,
        row_number() over (
            partition by month, cost_service_code, provider, sku
            order by
                direction * units_precise - units desc,
                account_key collate "C" asc,
                plan_code collate "C" asc,
                service_code collate "C" asc
        ) as unit_rank
    from cut
    window of_cost as (partition by month, cost_service_code, provider, sku)
),

final as (
    select
        {{ key_of([
            'month::text', 'cost_service_code', 'provider', 'sku', 'service_code', 'account_key',
            'plan_code'
        ]) }} as cogs_month_key,
        month,
        cost_service_code,
        service_code,
        account_key,
        plan_code,
        metric_code,
        provider,
        sku,
        amount_precise,
        direction
        * (units + case when unit_rank <= units_left then 1 else 0 end)
        * ('1e-' || digits)::numeric as amount_company,
        {{ company_currency() }}::text as currency
    from ranked
)

select * from final
