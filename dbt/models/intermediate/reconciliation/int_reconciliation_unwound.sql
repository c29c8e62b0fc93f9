-- What is left of a difference once what the app's documents state is taken off: a credit note, a
-- second copy, a proration, a discount, each where there is one, alone and with the others. The
-- remainder must be arithmetic that one can repeat; the best there is explains the difference, and
-- where two are as good, the one that takes more of what is stated off.

with

sides as (
    select * from {{ ref('int_reconciliation_sides') }}
    where
        is_app_compared
        and in_app
        and in_other
),

prices as (
    select * from {{ ref('int_reconciliation_prices') }}
),

boundaries as (
    select * from {{ ref('int_reconciliation_boundaries') }}
),

compared as (
    select
        sides.*,
        coalesce(prices.price_digits, 2) as price_digits,
        coalesce(prices.quotas, '{}') as quotas,
        coalesce(prices.known_prices, '{}') as known_prices,
        coalesce(prices.known_flat_amounts, '{}') as known_flat_amounts,
        coalesce(prices.tier_prices, '{}') as tier_prices,
        coalesce(prices.tier_flat_amounts, '{}') as tier_flat_amounts,
        boundaries.quantity as boundary_quantity
    from sides
    left join prices
        on sides.charge_key = prices.charge_key
    left join boundaries
        on
            sides.subscription_key = boundaries.subscription_key
            and sides.metric_code = boundaries.metric_code
            and sides.period_start = boundaries.period_start
    where
        sides.app_currency = sides.currency
        and (
            sides.app_amount <> sides.other_amount
            or (sides.item_type = 'charge' and sides.app_quantity <> sides.other_quantity)
        )
),

flags as (
    select flag
    from (values (false), (true)) as either (flag)
),

variants as (
    select
        compared.*,
        credits.flag as without_credits,
        copies.flag as without_copies,
        prorations.flag as without_prorations,
        discounts.flag as without_discounts,
        compared.app_quantity
        - case when credits.flag then compared.credit_quantity else 0 end
        - case when copies.flag then compared.copy_quantity else 0 end
        - case when prorations.flag then compared.proration_quantity else 0 end
            as quantity,
        compared.app_amount
        - case when credits.flag then compared.credit_amount else 0 end
        - case when copies.flag then compared.copy_amount else 0 end
        - case when prorations.flag then compared.proration_amount else 0 end
        + case
            when discounts.flag
                then
                    compared.app_discount
                    - case when copies.flag then compared.copy_discount else 0 end
                    - case when prorations.flag then compared.proration_discount else 0 end
            else 0
        end as amount,
        0.01 * greatest(
            compared.app_lines
            - case when copies.flag then compared.copy_lines else 0 end
            - case when prorations.flag then compared.proration_lines else 0 end,
            1
        ) as tolerance
    from compared
    cross join flags as credits
    cross join flags as copies
    cross join flags as prorations
    cross join flags as discounts
    where
        (not credits.flag or compared.credit_amount <> 0)
        and (not copies.flag or compared.copy_amount <> 0)
        -- A proration is a part of an amount: it leaves something, and is less than the whole.
        and (
            not prorations.flag
            or (
                compared.proration_amount <> 0
                and abs(compared.proration_amount) < abs(compared.list_amount)
                and compared.app_lines > compared.proration_lines
                and compared.app_amount - compared.credit_amount - compared.proration_amount <> 0
            )
        )
        and (not discounts.flag or compared.app_discount <> 0)
),

measured as (
    select
        *,
        coalesce(quantity = other_quantity, true) as is_same_quantity,
        coalesce(quantity <> other_quantity, false) as is_other_quantity,
        -- What has a price: a minimum, which counts nothing, has it once.
        case when item_type = 'charge' and metric_code is null then 1 else quantity end as units
    from variants
),

implied as (
    select
        *,
        -- The price that the amount comes to, in as many digits as the catalogue's prices have.
        case when units <> 0 then round(amount / units, greatest(price_digits, 2)) end
            as implied_price
    from measured
),

priced as (
    select
        *,
        coalesce(
            implied_price > 0
            and abs({{ round_money('implied_price * units', 'currency') }} - amount)
            <= tolerance,
            false
        ) as is_at_a_price,
        coalesce(
            amount >= {{ round_money('quantity * lowest_price', 'currency') }} - tolerance
            and amount
            <= {{ round_money('quantity * highest_price + flat_amount', 'currency') }} + tolerance,
            false
        ) as is_at_our_price,
        -- Where the quantity is another too, a price that nobody ever agreed on is a second thing
        -- to choose: the two would make any amount.
        exists(
            select 1
            from unnest(known_prices, known_flat_amounts) as known (price, flat_amount)
            where
                abs(
                    {{ round_money('quantity * known.price + known.flat_amount', 'currency') }}
                    - amount
                ) <= tolerance
        ) as is_at_a_known_price,
        -- Whole days as the app states them, or the part of one that it states.
        array[
            days,
            app_period_end - app_period_start,
            -- By the clock on the wall: March has 31 days, though one lacks an hour.
            extract(
                epoch from
                (period_to at time zone {{ company_timezone() }})
                - (period_from at time zone {{ company_timezone() }})
            ) / 86400
        ] as parts
    from implied
),

judged as (
    select
        *,
        case
            when amount = list_amount and is_same_quantity then 'match'
            when is_same_quantity and abs(amount - list_amount) <= tolerance then 'rounding'
            when
                has_late_usage
                and amount_in_time <> list_amount
                and (
                    abs(amount - amount_in_time) <= tolerance
                    or (
                        is_other_quantity
                        and quantity in (quantity_in_time, quantity_used_in_time)
                        and is_at_a_known_price
                    )
                ) then 'late_usage'
            when
                is_shifted
                and is_other_quantity
                and abs(quantity - other_quantity) <= boundary_quantity
                and (is_at_our_price or is_at_a_known_price) then 'period_boundary'
            when
                exists (
                    select 1
                    from unnest(parts) as part (days)
                    where
                        part.days < nominal_days
                        and part.days > 0
                        and abs(
                            amount - {{ round_money(
                                'list_amount * part.days / nominal_days', 'currency'
                            ) }}
                        ) <= tolerance
                )
                -- The whole of our part, by our days: the app could state any.
                or (
                    days < nominal_days
                    and abs(
                        list_amount
                        - {{ round_money('amount * days / nominal_days', 'currency') }}
                    ) <= tolerance
                ) then 'proration'
            when
                item_type = 'charge'
                and is_other_quantity
                and (is_at_our_price or is_at_a_known_price)
                and quantity in (
                    select greatest(quantity_used - quota.included, 0)
                    from unnest(quotas) as quota (included)
                ) then 'tier_or_quota'
            when
                item_type = 'charge'
                and is_same_quantity
                and (
                    -- All of it in one tier, or the quota not taken off.
                    exists (
                        select 1
                        from unnest(tier_prices, tier_flat_amounts) as tier (price, flat_amount)
                        where
                            abs(
                                {{ round_money(
                                    'other_quantity * tier.price + tier.flat_amount', 'currency'
                                ) }} - amount
                            ) <= tolerance
                    )
                    or (
                        quantity_used <> other_quantity
                        and lowest_price = highest_price
                        and abs(
                            {{ round_money(
                                'quantity_used * lowest_price + flat_amount', 'currency'
                            ) }} - amount
                        ) <= tolerance
                    )
                ) then 'tier_or_quota'
            when is_other_quantity and (amount = list_amount or is_at_our_price) then 'quantity'
            when is_same_quantity and is_at_a_price then 'price'
            when is_other_quantity and is_at_a_known_price then 'quantity_and_price'
        end as remainder
    from priced
),

ranked as (
    select
        *,
        row_number() over (
            partition by reconciliation_key
            order by
                array_position(
                    array[
                        'match', 'rounding', 'late_usage', 'period_boundary', 'proration',
                        'tier_or_quota', 'quantity', 'price', 'quantity_and_price'
                    ],
                    remainder
                ) asc,
                without_credits::int + without_copies::int + without_prorations::int
                + without_discounts::int desc,
                without_credits desc,
                without_copies desc,
                without_prorations desc
        ) as preference
    from judged
    where remainder is not null
),

final as (
    select
        reconciliation_key,
        without_credits,
        without_copies,
        without_prorations,
        without_discounts,
        remainder,
        quantity,
        amount,
        implied_price
    from ranked
    where preference = 1
)

select * from final
