-- The members of unique counts and what happened to them in a period, in order: those it begins
-- with, then every addition and removal that changed something.

with

stored_events as (
    {{ of_the_touched(ref('int_usage_events')) }}
),

events as (
    select * from stored_events
    where fate = 'counted' and member is not null
),

charge_events as (
    select * from {{ ref('int_charge_events') }}
),

charge_periods as (
    select * from {{ ref('int_charge_periods') }}
    where aggregation = 'unique'
),

charges_matched as (
    select * from {{ ref('int_charges_matched') }}
),

carried_periods as (
    select distinct
        subscription_key,
        service_code,
        external_subscription_id,
        plan_code,
        metric_code,
        period_start,
        used_from
    from charge_periods
    where is_carried
),

carried_usage as (
    select distinct
        service_code,
        external_subscription_id,
        metric_code
    from carried_periods
),

-- Of a member's past only the last word counts: it stands from its day until the next one's.
history as (
    select
        events.*,
        lead(events.local_day) over (
            partition by
                events.service_code, events.external_subscription_id, events.metric_code,
                events.dimensions, events.member
            order by events.window_start, events.received_at, events.transaction_id
        ) as next_day
    from events
    inner join carried_usage
        on
            events.service_code = carried_usage.service_code
            and events.external_subscription_id = carried_usage.external_subscription_id
            and events.metric_code = carried_usage.metric_code
),

carried as (
    select
        carried_periods.subscription_key,
        carried_periods.period_start,
        charges_matched.odoo_charge_id,
        charges_matched.group_key,
        history.member,
        history.operation,
        carried_periods.used_from as local_day,
        history.window_start,
        history.received_at,
        history.transaction_id,
        true as is_carried
    from carried_periods
    inner join history
        on
            carried_periods.service_code = history.service_code
            and carried_periods.external_subscription_id = history.external_subscription_id
            and carried_periods.metric_code = history.metric_code
            and carried_periods.used_from > history.local_day
            and carried_periods.used_from <= coalesce(history.next_day, 'infinity')
    inner join charges_matched
        on
            carried_periods.plan_code = charges_matched.plan_code
            and carried_periods.metric_code = charges_matched.metric_code
            and history.dimensions = charges_matched.dimensions
            and carried_periods.period_start >= charges_matched.valid_from
            and carried_periods.period_start < charges_matched.valid_before
    where charges_matched.odoo_charge_id is not null
),

in_period as (
    select
        charge_events.subscription_key,
        charge_events.period_start,
        charge_events.odoo_charge_id,
        charge_events.group_key,
        charge_events.member,
        charge_events.operation,
        charge_events.local_day,
        charge_events.window_start,
        charge_events.received_at,
        charge_events.transaction_id,
        false as is_carried
    from charge_events
    inner join charge_periods
        on
            charge_events.subscription_key = charge_periods.subscription_key
            and charge_events.period_start = charge_periods.period_start
            and charge_events.odoo_charge_id = charge_periods.odoo_charge_id
),

unioned as (
    select * from carried

    union all

    select * from in_period
),

followed as (
    select
        *,
        lag(operation, 1, 'remove') over (
            partition by subscription_key, period_start, odoo_charge_id, group_key, member
            order by window_start, received_at, transaction_id
        ) as previous_operation
    from unioned
),

-- Adding who is there, or removing who is not, changes nothing.
changes as (
    select *
    from followed
    where operation <> previous_operation
),

final as (
    select
        changes.subscription_key,
        changes.period_start,
        changes.odoo_charge_id,
        changes.group_key,
        changes.member,
        changes.window_start,
        changes.received_at,
        changes.transaction_id,
        changes.operation,
        changes.is_carried,
        case changes.operation when 'add' then 1 else -1 end as change,
        -- Days are counted whole, both ends included; who comes back on the day of leaving was
        -- there that day once.
        case
            when changes.operation = 'add'
                then
                    coalesce(
                        lead(changes.local_day) over members, charge_periods.period_end - 1
                    )
                    - changes.local_day
                    + case
                        when lag(changes.local_day) over members = changes.local_day then 0
                        else 1
                    end
            else 0
        end as days
    from changes
    inner join charge_periods
        on
            changes.subscription_key = charge_periods.subscription_key
            and changes.period_start = charge_periods.period_start
            and changes.odoo_charge_id = charge_periods.odoo_charge_id
    window
        members as (
            partition by
                changes.subscription_key, changes.period_start, changes.odoo_charge_id,
                changes.group_key, changes.member
            order by changes.window_start, changes.received_at, changes.transaction_id
        )
)

select * from final
