"""A second list of faults: where the first one had not looked.

Not among them, because nothing can tell them from the original:

- A settle that counts as late when it was taken in the same step: its entry is no estimate then.
- Two settles of one call in one batch: the hold can be taken away once, and a correction booked once.
- Excess that is added to the room: it is what is spent and held above the limit, so they cancel out.
- Waiting holds that are judged one after the other where all would fit: it takes longer.
- A recount that reads the clock before its lock: a window would have to end meanwhile, and nobody
  but the clock can make one end.
"""

from __future__ import annotations

from tests.mutation.seeding import ADJUST, RECOUNT, STEP, WINDOWS, Fault, killed_by

LATER = "test_mutants_found_later"

DAYS = [
    Fault(
        "the last days begin in UTC",
        WINDOWS,
        "when 'rolling' then date_trunc('day', p_now, p_zone)",
        "when 'rolling' then date_trunc('day', p_now, 'UTC')",
        killed_by("test_raises", "the_last_days_add_up_and_the_first_day_drops_out"),
    ),
    Fault(
        "the last days are one more",
        WINDOWS,
        "make_interval(days => p_days - 1)",
        "make_interval(days => p_days)",
        killed_by("test_raises", "the_last_days_add_up_and_the_first_day_drops_out"),
    ),
    Fault(
        "the last days forget what is held on the days before",
        WINDOWS,
        "select coalesce(sum(b.spent + b.held), 0)",
        "select coalesce(sum(b.spent), 0)",
        killed_by("test_raises", "a_call_under_way_from_yesterday_counts_in_the_last_days"),
    ),
    Fault(
        "days of a time zone that was left count",
        WINDOWS,
        "and b.window_start = budgets_window_start('day', p_zone, b.window_start))",
        ")",
        killed_by(LATER, "days_of_a_time_zone_that_was_left_do_not_count"),
    ),
    Fault(
        "a new window of the last days has all of them today",
        RECOUNT,
        "case g.window_kind when 'rolling' then f.admitted_at else v_now end) as window_start",
        "v_now) as window_start",
        killed_by(LATER, "a_new_window_of_the_last_days_has_each_days_spend_on_its_day"),
    ),
    Fault(
        "the site's own windows begin in each organization's time",
        STEP,
        "case when g.organization_id is null then 'UTC' else c.zone end",
        "c.zone",
        killed_by(LATER, "the_sites_day_is_the_same_for_all"),
    ),
    Fault(
        "a raise is that of every subject",
        WINDOWS,
        "and r.subject in ('', p_subject))",
        ")",
        killed_by(LATER, "a_raise_for_one_user_is_nobody_elses"),
    ),
]

CHANGES = [
    Fault(
        "another enforcement is not noticed",
        STEP,
        "l.limit_amount <> b.limit_amount or g.blocks <> b.blocks as is_stale",
        "l.limit_amount <> b.limit_amount as is_stale",
        killed_by(LATER, "a_budget_that_is_only_to_warn_from_now_on_lets_through"),
    ),
    Fault(
        "another enforcement is not carried over",
        STEP,
        "and (l.limit_amount <> b.limit_amount or l.blocks <> b.blocks);",
        "and l.limit_amount <> b.limit_amount;",
        killed_by(LATER, "a_budget_that_is_only_to_warn_from_now_on_lets_through"),
    ),
    Fault(
        "a limit lowered below what is spent is no excess",
        STEP,
        "excess = case when l.blocks then greatest(b.spent + b.held - l.limit_amount, 0) else 0 end",
        "excess = b.excess",
        killed_by("test_changes", "a_limit_lowered_below_the_spend_refuses_at_once"),
    ),
    Fault(
        "nothing is held for nothing once the limit is passed",
        STEP,
        "then greatest(b.limit_amount - b.spent - b.held, 0) end order by b.id)",
        "then b.limit_amount - b.spent - b.held end order by b.id)",
        killed_by(LATER, "where_more_is_spent_than_the_limit_nothing_is_held"),
    ),
    Fault(
        "a new budget holds what was held in windows before",
        RECOUNT,
        "      and x.admitted_at >= b.window_start\n",
        "",
        killed_by(LATER, "a_hold_of_the_window_before_does_not_count_in_a_new_budget"),
    ),
    Fault(
        "counting one organization counts the site by it",
        RECOUNT,
        "where (g.organization_id is null) = (p_organization is null)",
        "where true",
        killed_by(LATER, "counting_an_organization_leaves_the_sites_balance_alone"),
    ),
    Fault(
        "a recount knows no plans of members",
        RECOUNT,
        "      o.id, o.plan_id, coalesce(m.plan_id, o.plan_id), f.project_id",
        "      o.id, o.plan_id, o.plan_id, f.project_id",
        killed_by("test_changes", "a_members_own_plan_replaces_the_allowance_of_each_user"),
    ),
    Fault(
        "a member with a plan of their own falls under both",
        WINDOWS,
        "where x.active and x.plan_id = p_plan and x.each <> 'user'",
        "where x.active and x.plan_id = p_plan",
        killed_by("test_changes", "a_members_own_plan_replaces_the_allowance_of_each_user"),
    ),
    Fault(
        "a refund in dollars gives back tokens",
        ADJUST,
        "where b.id = any(v_first.balance_ids) and b.unit = 'usd';",
        "where b.id = any(v_first.balance_ids);",
        killed_by(LATER, "a_refund_in_dollars_gives_back_no_requests_and_no_tokens"),
    ),
    Fault(
        "new balances are opened in any order",
        STEP,
        """      select distinct m.organization_id, m.budget_id, m.subject, m.window_start, m.unit, m.rank,
        m.blocks, m.limit_amount, 0, 0, 0, 0
      from unnest(v_moves) m where m.balance_id is null
      order by m.budget_id, m.subject, m.window_start, m.organization_id
""",
        """      select * from (
        select distinct m.organization_id, m.budget_id, m.subject, m.window_start, m.unit, m.rank,
          m.blocks, m.limit_amount, 0, 0, 0, 0
        from unnest(v_moves) m where m.balance_id is null) m
      order by random()
""",
        killed_by(LATER, "new_balances_are_opened_in_their_order"),
    ),
]

ENDS = [
    Fault(
        "a late settle gives back what a refund has given back already",
        STEP,
        "greatest(a.usd - j.amount_usd, (",
        "greatest(a.usd - j.amount_usd, 2 * (",
        killed_by(LATER, "a_late_settle_gives_back_no_more_than_a_refund_has_left"),
    ),
    Fault(
        "a late settle leaves the tokens as they were estimated",
        STEP,
        "a.tokens - j.tokens, j.api_key_id",
        "0, j.api_key_id",
        killed_by(LATER, "a_late_settle_corrects_the_tokens_too"),
    ),
    Fault(
        "an estimate is corrected by another",
        STEP,
        "and a.kind in ('charge', 'release') and",
        "and",
        killed_by(LATER, "an_estimate_is_not_corrected_by_another_estimate"),
    ),
    Fault(
        "what the whole site has left is told",
        STEP,
        "        and b.organization_id is not null\n",
        "",
        killed_by(LATER, "what_is_left_is_told_after_a_settle_but_not_the_sites"),
    ),
    Fault(
        "the site's limits are told as a tenant's own",
        STEP,
        "'is_sites', b.organization_id is null",
        "'is_sites', false",
        killed_by(LATER, "a_refusal_by_the_site_says_whose_limit_it_is"),
    ),
]

WHO_AND_NAMES = [
    Fault(
        "a person who was shut out is admitted",
        STEP,
        "a.status = 'active' and u.is_active and",
        "a.status = 'active' and",
        killed_by(LATER, "a_person_who_was_shut_out_and_a_model_the_plan_forbids_are_refused"),
    ),
    Fault(
        "a plan forbids no model",
        STEP,
        "when cardinality(k.plan_models) > 0",
        "when false",
        killed_by(LATER, "a_person_who_was_shut_out_and_a_model_the_plan_forbids_are_refused"),
    ),
    Fault(
        "a refused call gives back the names of others",
        STEP,
        "where n.request_id = c.id and (c.i = any(v_refused_i)",
        "where n.api_key_id = c.api_key_id and (c.i = any(v_refused_i)",
        killed_by(LATER, "a_refused_call_leaves_the_names_of_others_alone"),
    ),
    Fault(
        "of two calls under a name the last gets it",
        STEP,
        "where h.name is not null order by h.key, h.name, h.i",
        "where h.name is not null order by h.key, h.name, h.i desc",
        killed_by("test_names", "of_two_in_one_batch_the_first_goes_through"),
    ),
    Fault(
        "a name that is used again keeps its age",
        STEP,
        "          claimed_at = excluded.claimed_at\n",
        "          claimed_at = budgets_idempotencykey.claimed_at\n",
        killed_by(LATER, "a_name_that_is_used_again_after_a_day_is_told_of_the_second_call"),
    ),
    Fault(
        "a call under way is said to be over",
        STEP,
        "when n.request_id <> h.id and exists (\n"
        "            select from budgets_journalentry j\n"
        "            where j.organization_id = who.organization_id and j.request_id = n.request_id)",
        "when n.request_id <> h.id",
        killed_by("test_names", "the_second_is_told_that_the_first_is_under_way"),
    ),
]

LATER_IN_SQL = [*DAYS, *CHANGES, *ENDS, *WHO_AND_NAMES]
