-- Between a segment's first day and the last day that periods reach, every day lies in exactly one
-- period: the next one begins where one ends, and the first begins with the segment.

with

periods as (
    select * from {{ ref('int_subscription_periods') }}
),

segments as (
    select * from {{ ref('int_subscription_segments') }}
),

followed as (
    select
        subscription_key,
        segment_no,
        period_start,
        period_end,
        lag(period_end) over (
            partition by subscription_key, segment_no
            order by period_start
        ) as end_before,
        lead(period_start) over (
            partition by subscription_key
            order by period_start
        ) as next_start
    from periods
)

select
    followed.subscription_key,
    followed.segment_no,
    followed.period_start,
    followed.period_end
from followed
inner join segments
    on
        followed.subscription_key = segments.subscription_key
        and followed.segment_no = segments.segment_no
where
    followed.period_start <> coalesce(followed.end_before, segments.segment_start)
    or followed.period_end > followed.next_start
    or followed.period_end > segments.segment_end + 1
