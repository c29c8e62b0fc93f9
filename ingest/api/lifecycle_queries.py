"""Customers and subscriptions of one service: what was asked, what became of it, what Odoo has."""

from __future__ import annotations

_CUSTOMERS = """
with

commands as (
    select *
    from raw.command
    where service_code = $1 {only_customer}
),

first_asked as (
    select
        external_customer_id as external_id,
        min(received_at) as created_at
    from commands
    group by 1
),

asked as (
    select distinct on (external_id) external_id, command_id, payload, received_at
    from commands
    where kind = 'customer'
    order by external_id, command_id desc
),

links as (
    select distinct on (record ->> 'x_external_account_id')
        record ->> 'x_external_account_id' as external_id,
        id as account_link_id,
        case
            when jsonb_typeof(record -> 'x_partner_id') = 'number'
                then (record ->> 'x_partner_id')::bigint
        end as partner_id,
        mirrored_at as linked_at
    from raw.odoo_account_link
    where record ->> 'x_service_code' = $1 and deleted_at is null {only_link}
    order by 1, id
),

known as (
    select external_id from first_asked
    union
    select external_id from links where external_id is not null
),

told as (
    select
        known.external_id,
        least(first_asked.created_at, links.linked_at) as created_at,
        asked.command_id,
        asked.payload,
        asked.received_at,
        state.state,
        state.reason,
        state.attempts,
        state.next_attempt_at,
        state.applied_at,
        links.account_link_id,
        links.linked_at,
        partner.id as partner_id,
        partner.record as partner,
        partner.mirrored_at
    from known
    left join first_asked on known.external_id = first_asked.external_id
    left join asked on known.external_id = asked.external_id
    left join ops.command_state as state on asked.command_id = state.command_id
    left join links on known.external_id = links.external_id
    left join raw.odoo_partner as partner
        on links.partner_id = partner.id and partner.deleted_at is null
)

select {what} from told {which}
"""

# The order that counts is the one that serves today, else the next one, else the last.
_SUBSCRIPTIONS = """
with

commands as (
    select *
    from raw.command
    where service_code = $1 and kind in ('subscription', 'termination') {only_command}
),

newest as (
    select distinct on (external_id) *
    from commands
    order by external_id, command_id desc
),

asked as (
    select distinct on (external_id) *
    from commands
    where kind = 'subscription'
    order by external_id, command_id desc
),

begun as (
    select
        asked.external_id,
        min(commands.received_at) as created_at,
        (array_agg(commands.payload ->> 'plan_code' order by commands.command_id desc)
            filter (where commands.payload ->> 'plan_code' <> asked.payload ->> 'plan_code'))[1]
            as previous_plan_code
    from asked
    inner join commands
        on asked.external_id = commands.external_id
        and commands.kind = 'subscription'
        and commands.command_id > coalesce(
            (
                select max(ended.command_id)
                from commands as ended
                where
                    ended.kind = 'termination'
                    and ended.external_id = asked.external_id
                    and ended.command_id < asked.command_id
            ), 0
        )
    group by 1
),

today as (
    select (now() at time zone $2)::date as day
),

read_orders as (
    select
        id as order_id,
        record ->> 'x_fc_external_id' as external_id,
        record,
        record ->> 'state' as order_state,
        mirrored_at,
        nullif(record ->> 'start_date', 'false')::date as start_date,
        nullif(record ->> 'end_date', 'false')::date as end_date
    from raw.odoo_subscription
    where
        record ->> 'x_fc_service_code' = $1
        and deleted_at is null
        and record ->> 'subscription_state' is distinct from '7_upsell'
        {only_order}
),

orders as (
    select distinct on (external_id)
        read_orders.*,
        order_state = 'cancel'
        or record ->> 'subscription_state' = '6_churn'
        or coalesce(end_date < day, false) as is_over
    from read_orders
    cross join today
    order by
        external_id,
        order_state = 'sale' desc,
        coalesce(start_date <= day, true) desc,
        start_date desc nulls last,
        order_id desc
),

following as (
    select distinct on (read_orders.external_id)
        read_orders.external_id,
        read_orders.start_date,
        read_orders.record ->> 'x_fc_plan_code' as plan_code
    from read_orders
    inner join orders on read_orders.external_id = orders.external_id
    cross join today
    where
        read_orders.order_state = 'sale'
        and read_orders.start_date > today.day
        and read_orders.order_id <> orders.order_id
    order by read_orders.external_id, read_orders.start_date
),

known as (
    select external_id from newest
    union
    select external_id from orders where external_id is not null
),

joined as (
    select
        known.external_id,
        newest.command_id,
        newest.kind,
        newest.received_at,
        newest.payload as newest_payload,
        asked.payload,
        coalesce(
            newest.external_customer_id,
            nullif(orders.record ->> 'x_fc_external_account_id', 'false'), ''
        ) as external_customer_id,
        coalesce(begun.created_at, orders.mirrored_at) as created_at,
        begun.previous_plan_code,
        state.state,
        state.reason,
        state.attempts,
        state.next_attempt_at,
        state.applied_at,
        orders.order_id,
        orders.record as order_record,
        orders.mirrored_at,
        orders.start_date,
        orders.end_date,
        orders.order_state,
        -- What Odoo says of the very order that the newest command made.
        coalesce(orders.is_over, false)
        and (newest.command_id is null or orders.order_id = state.odoo_order_id) as is_over,
        following.plan_code as following_plan_code,
        following.start_date as following_start,
        coalesce(
            case
                when length(asked.payload ->> 'subscription_at') = 10
                    then ((asked.payload ->> 'subscription_at')::date)::timestamp at time zone $2
                else (asked.payload ->> 'subscription_at')::timestamptz
            end,
            begun.created_at,
            orders.start_date::timestamp at time zone $2,
            orders.mirrored_at
        ) as starts_at,
        coalesce(
            case
                when length(asked.payload ->> 'ending_at') = 10
                    then ((asked.payload ->> 'ending_at')::date + 1)::timestamp at time zone $2
                else (asked.payload ->> 'ending_at')::timestamptz
            end,
            (orders.end_date + 1)::timestamp at time zone $2
        ) as ends_at
    from known
    left join newest on known.external_id = newest.external_id
    left join asked on known.external_id = asked.external_id
    left join begun on known.external_id = begun.external_id
    left join orders on known.external_id = orders.external_id
    left join following on known.external_id = following.external_id
    left join ops.command_state as state on newest.command_id = state.command_id
),

told as (
    select
        joined.*,
        coalesce(
            case
                when order_state = 'sale' and (kind is null or start_date <= today.day)
                    and (following_plan_code is not null or kind is null)
                    then nullif(order_record ->> 'x_fc_plan_code', 'false')
            end,
            payload ->> 'plan_code', nullif(order_record ->> 'x_fc_plan_code', 'false'), ''
        ) as plan_code,
        case
            when kind = 'termination'
                then case when starts_at > received_at then 'canceled' else 'terminated' end
            when is_over and order_state = 'cancel' then 'canceled'
            when is_over or coalesce(kind = 'subscription' and ends_at <= now(), false)
                then 'terminated'
            when kind is null and order_state in ('draft', 'sent') then 'pending'
            when starts_at > now() then 'pending'
            else 'active'
        end as status
    from joined
    cross join today
)

select {what} from told {which}
"""


def customers(what: str = "*", which: str = "") -> str:
    """All customers of the service $1. `which` is a condition, an order, a page of them."""
    return _CUSTOMERS.format(only_customer="", only_link="", what=what, which=which)


def one_customer() -> str:
    """The customer $2 of the service $1."""
    return _CUSTOMERS.format(
        only_customer="and external_customer_id = $2",
        only_link="and record ->> 'x_external_account_id' = $2",
        what="*",
        which="",
    )


def subscriptions(what: str = "*", which: str = "") -> str:
    """All subscriptions of the service $1, by days in the zone $2."""
    return _SUBSCRIPTIONS.format(only_command="", only_order="", what=what, which=which)


def one_subscription() -> str:
    """The subscription $3 of the service $1, by days in the zone $2."""
    return _SUBSCRIPTIONS.format(
        only_command="and external_id = $3",
        only_order="and record ->> 'x_fc_external_id' = $3",
        what="*",
        which="",
    )
