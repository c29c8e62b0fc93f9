-- Exactly one reason per difference: the first of the decision list in docs/reconciliation.md that
-- holds. What none holds of is unexplained.

with

sides as (
    select * from {{ ref('int_reconciliation_sides') }}
),

unwound as (
    select * from {{ ref('int_reconciliation_unwound') }}
),

neighbours as (
    select * from {{ ref('int_reconciliation_neighbours') }}
),

joined as (
    select
        sides.*,
        neighbours.neighbour_start,
        unwound.remainder,
        unwound.implied_price,
        coalesce(unwound.without_credits, false) as without_credits,
        coalesce(unwound.without_copies, false) as without_copies,
        coalesce(unwound.without_prorations, false) as without_prorations,
        coalesce(unwound.without_discounts, false) as without_discounts,
        sides.is_billed and sides.is_odoo_compared as is_push_compared,
        sides.in_app
        and sides.in_other
        and (
            sides.app_amount <> sides.other_amount
            or (
                sides.item_type = 'charge'
                and coalesce(sides.app_quantity <> sides.other_quantity, false)
            )
        ) as is_different
    from sides
    left join unwound
        on sides.reconciliation_key = unwound.reconciliation_key
    left join neighbours
        on sides.reconciliation_key = neighbours.reconciliation_key
),

reasoned as (
    select
        *,
        case
            when in_app and not is_linked then 'unlinked_account'
            when is_push_compared and missing_lines > 0 then 'missing_in_odoo'
            when is_push_compared and changed_lines + altered_lines > 0 then 'manual_change'
            when is_push_compared and odoo_currency <> currency then 'currency'
            when is_app_compared and in_app and in_other and app_currency <> currency
                then 'currency'
            when is_push_compared and odoo_credited <> 0 then 'credit_note'
            when not is_app_compared then null
            when item_type = 'base_fee' and is_different and odoo_credited <> 0 then 'credit_note'
            when without_credits then 'credit_note'
            when remainder = 'late_usage' then 'late_usage'
            when
                has_late_usage
                and coalesce(app_amount, 0) = amount_in_time
                and amount_in_time <> other_amount then 'late_usage'
            when neighbour_start is not null then 'period_boundary'
            when remainder = 'period_boundary' then 'period_boundary'
            when in_other and not in_app and other_amount <> 0 then 'missing_in_app'
            when in_app and not in_other and app_amount <> 0 and item_type = 'base_fee'
                then 'missing_in_odoo'
            when in_app and not in_other and app_amount <> 0 then 'missing_in_platform'
            when not in_app or not in_other then null
            when without_copies then 'duplicate'
            when without_prorations or remainder = 'proration' then 'proration'
            when without_discounts then 'discount'
            when remainder = 'tier_or_quota' then 'tier_or_quota'
            when remainder in ('quantity', 'quantity_and_price') then 'quantity'
            when remainder = 'price' then 'price'
            when remainder = 'rounding' then 'rounding'
            when is_different then 'unexplained'
            when is_odoo_compared and abs(app_tax - odoo_tax) > 0.01 then 'tax'
        end as reason
    from joined
),

compared as (
    select
        *,
        case
            when reason is not null then 'difference'
            when is_app_compared then 'match'
            else 'not_compared'
        end as status,
        is_app_compared and coalesce(app_currency <> currency, false) as is_app_in_other_currency,
        is_push_compared and coalesce(odoo_currency <> currency, false)
            as is_odoo_in_other_currency
    from reasoned
),

-- Two currencies make no difference that one could sum.
measured as (
    select
        *,
        case
            when is_app_compared and not is_app_in_other_currency
                then coalesce(app_amount, 0) - coalesce(other_amount, 0)
        end as app_delta,
        case
            when is_push_compared and not is_odoo_in_other_currency
                then coalesce(odoo_amount, 0) - platform_amount
        end as odoo_delta
    from compared
),

final as (
    select
        reconciliation_key,
        item_type,
        service_code,
        account_key,
        subscription_key,
        metric_code,
        charge_key,
        period_start,
        period_end,
        phase,
        currency,
        app_quantity,
        platform_quantity,
        odoo_quantity,
        app_amount,
        app_discount,
        platform_amount,
        odoo_amount,
        app_tax,
        odoo_tax,
        app_currency,
        odoo_currency,
        app_delta,
        odoo_delta,
        -- What the difference is worth: the app's where there is one, else Odoo's; it is not known
        -- to be nothing where one of them is in another currency.
        coalesce(
            nullif(app_delta, 0),
            nullif(odoo_delta, 0),
            case
                when not is_app_in_other_currency and not is_odoo_in_other_currency
                    then coalesce(odoo_delta, app_delta)
            end
        ) as delta,
        status,
        reason,
        case
            when reason = 'unlinked_account'
                then 'no link of ' || coalesce(account_key, 'no account')
            when reason = 'missing_in_odoo' and item_type = 'base_fee'
                then 'Odoo invoiced no base fee of this period'
            when reason = 'missing_in_odoo' then coalesce(push_reason, 'not pushed yet')
            when reason = 'manual_change' and changed_lines > 0
                then 'Odoo has ' || odoo_amount || ', the ledger ' || platform_amount
            when reason = 'manual_change'
                then 'Odoo invoiced ' || odoo_amount || ' of a line of ' || platform_amount
            when reason = 'currency' and app_currency <> currency
                then 'the app billed in ' || app_currency
            when reason = 'currency' then 'Odoo invoiced in ' || odoo_currency
            when reason = 'credit_note' and odoo_credited <> 0
                then 'Odoo credited ' || odoo_credited
            when reason = 'credit_note' then 'the app credited ' || -credit_amount
            when reason = 'late_usage'
                then
                    'the app billed before ' || (platform_amount - amount_in_time)
                    || ' of usage came in'
            when reason = 'period_boundary' and neighbour_start is not null
                then
                    'billed in part under the period of '
                    || to_char(neighbour_start, 'YYYY-MM-DD')
            when reason = 'period_boundary'
                then
                    'the app billed ' || to_char(app_period_start, 'YYYY-MM-DD') || ' to '
                    || to_char(app_period_end - 1, 'YYYY-MM-DD')
            when reason = 'duplicate' then 'billed on ' || app_invoices || ' invoices of the app'
            when reason = 'proration' and without_prorations
                then 'the app prorated by ' || proration_amount
            when reason = 'proration' then days || ' of ' || nominal_days || ' days'
            when reason = 'discount' then 'the app gave a discount of ' || app_discount
            when reason = 'tier_or_quota' and app_quantity <> other_quantity
                then 'the app charged ' || app_quantity || ' of ' || quantity_used || ' used'
            when reason = 'tier_or_quota' then 'the app charged all at ' || implied_price
            when reason = 'quantity'
                then 'the app charged ' || app_quantity || ', not ' || other_quantity
            when reason = 'price' then 'the app charged ' || implied_price || ' each'
            when reason = 'tax' then 'the app taxed ' || app_tax || ', Odoo ' || odoo_tax
        end as detail
    from measured
)

select * from final
