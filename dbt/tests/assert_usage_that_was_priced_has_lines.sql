-- Whatever a charge had to price has its lines, in the periods as well that this build left as they
-- were: of them assert_every_fee_is_rated and int_usage_bucketed see nothing.
select
    usage.subscription_key,
    usage.charge_key,
    usage.group_key,
    usage.period_start
from {{ ref('int_charge_usage') }} as usage
left join {{ ref('fct_rated_lines') }} as rated_lines
    on
        usage.subscription_key = rated_lines.subscription_key
        and usage.charge_key = rated_lines.charge_key
        and usage.group_key = rated_lines.group_key
        and usage.period_start = rated_lines.period_start
        and rated_lines.tier > 0
where rated_lines.line_key is null
