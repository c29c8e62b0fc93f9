"""Mutants that no test can notice, each with its reason: reviewed by hand, one by one.

By model or macro, and the changed line as it is in the mutant, numbered where the same line stands
there again; of a row less or a row twice, the kind. A line that is edited has to be judged anew:
its entry no longer names a mutant, and fails."""

from __future__ import annotations

FROM_ZERO = "revisions count from 0: those of 0 outbid nothing"
MORE_ANEW = "reads more anew, and makes the same rows"
AN_HOUR_MORE = "spans reach an hour beyond their days, and the day group decides"
ANEW_ANYWAY = "where previous_xid is 0 everything is made anew, whatever was touched"
A_TABLE_ANEW = "what is not known to be rated is rated again, and makes the same rows"
ONE_BY_ONE = "looked up one by one or read as their days lie, the same rows"
NEXT_TO_NOTHING = "a band that is only touched is passed by nothing: 0, as without a row"

EQUIVALENT: dict[tuple[str, str], str] = {
    ("fct_usage_conservation", "where raw_counters.revision >= 0"): FROM_ZERO,
    ("is_counted", "revisions.revision >= 0"): FROM_ZERO + "; there for the index alone",
    ("usage_measured", "where revision >= 0"): FROM_ZERO,
    ("int_usage_daily", "counters.revision >= 0"): "all days go the way of revised ones",
    ("int_usage_daily", "where readable <= counters"): "all days go the way of unreadable ones",
    (
        "int_usage_touched",
        "where new_counters.kind = 'cumulative' or new_counters.revision >= 0",
    ): MORE_ANEW,
    ("stg_usage__snapshot", "on batches.xid <= snapshot.high_water_xid"): (
        "the transaction at the line still runs, or is none yet: nobody sees its batch"
    ),
    ("int_usage_touched", "where steps.previous_xid >= 0 (3)"): ANEW_ANYWAY,
    ("forget_landed_usage", "select max(landed.high_water_xid) >= snapshot.high_water_xid"): (
        MORE_ANEW
    ),
    (
        "forget_landed_usage",
        "where batches.xid <= (select max(landed.high_water_xid) from {{ this }} as landed)",
    ): MORE_ANEW,
    (
        "rollup_step",
        '~ "from subscriptions where (select count(*) from subscriptions) < "',
    ): "500 by name or by their days, of the same counters",
    (
        "day_most_groups_begin_at",
        '~ "external_subscription_id " ~ touched ~ ") as subscriptions) >= "'
        ' ~ var("most_looked_up")',
    ): ONE_BY_ONE,
    (
        "get_incremental_day_groups_sql",
        '{{ delete_touched_groups(target, "touched.local_day <= \'" ~ together_from ~ "\'") }};',
    ): "what lies together is gone by then",
    (
        "get_incremental_day_groups_sql",
        '{{ delete_touched_groups(target, "rolled.local_day > \'" ~ together_from ~ "\'") }};',
    ): "this world's next build finds no stored group of that day; test_builds_agree.py does",
    (
        "of_the_touched",
        '{{ looked_up(relation, theirs, "touched." ~ since ~ " <= " ~ together_from) }}',
    ): "who begins at that day has no day before it",
    (
        "touches_many",
        '"select count(*) >= " ~ var("most_looked_up") ~ " and count(*) > "',
    ): ONE_BY_ONE,
    (
        "touches_many",
        '"select count(*) > " ~ var("most_looked_up") ~ " and count(*) >= "',
    ): ONE_BY_ONE,
    ("in_spans", "{%- if spans | length >= 50 -%}"): "one bitmap or fifty, of the same counters",
    (
        "in_spans",
        "{{ instant }} > '{{ spans[0][0] }}' and {{ instant }} < '{{ spans[-1][1] }}'",
    ): AN_HOUR_MORE,
    (
        "in_spans",
        "{{ instant }} >= '{{ spans[0][0] }}' and {{ instant }} <= '{{ spans[-1][1] }}'",
    ): AN_HOUR_MORE,
    (
        "in_spans",
        '{{ "or " if not loop.first }}'
        "({{ instant }} > '{{ span[0] }}' and {{ instant }} < '{{ span[1] }}')",
    ): AN_HOUR_MORE,
    (
        "in_spans",
        '{{ "or " if not loop.first }}'
        "({{ instant }} >= '{{ span[0] }}' and {{ instant }} <= '{{ span[1] }}')",
    ): AN_HOUR_MORE,
    ("local_day_of_many", "{{ instant }} > {{ day_start(\"'2020-01-01'\") }}"): (
        "the other branch gives the same day"
    ),
    ("int_subscriptions_touched", "and touched.day_from > periods.period_start"): (
        "a day that begins a period stands for it where no period is found"
    ),
    ("int_subscription_periods", "and nominal_end >= segment_start"): (
        "a period that ends where its segment starts has no day, and is left out after all"
    ),
    (
        "int_pauses_read",
        "when from_year > 0 and from_month between 1 and 12 and from_day >= 0",
    ): "day 0 is of the month before, and so not of its own",
    (
        "int_pauses_read",
        "when until_year > 0 and until_month between 1 and 12 and until_day >= 0",
    ): "day 0 is of the month before, and so not of its own",
    (
        "int_prorated_tiers_priced",
        "and bands.high >= least(steps.level_before, steps.level_after)",
    ): NEXT_TO_NOTHING,
    (
        "int_prorated_tiers_priced",
        "and bands.low <= greatest(steps.level_before, steps.level_after)",
    ): NEXT_TO_NOTHING,
    ("analyze_changes", "if stored <= 0 then"): (
        "an empty table has no rows to sample, be it a third of them or all"
    ),
    (
        "analyze_changes",
        "elsif changes >= stored / 10 or not current_setting('track_counts')::boolean then",
    ): "a tenth exactly: more is sampled, or less",
    ("analyze_changes", "elsif changes >= 0 then"): (
        "statistics of a table that did not change are made again"
    ),
    ("postgres__get_columns_in_relation", "and attributes.attnum >= 0"): "no column is number 0",
    ("stg_ops__rated_subscriptions", "drop"): A_TABLE_ANEW,
    ("stg_ops__rated_subscriptions", "duplicate"): "what was touched is grouped",
    ("stg_ops__rating_progress", "drop"): A_TABLE_ANEW,
    ("stg_ops__rollup_progress", "drop"): MORE_ANEW,
}
