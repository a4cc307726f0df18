"""The faults: each breaks one rule of the ledger, and is looked for by the tests named with it.

Not among them, because nothing can tell them from the original:

- budgets_expire() that lists holds before their expiry: the step looks at the expiry again.
- A first look (part 4 of the step) that lets through what does not fit: it saves locks, and the
  calls are judged again behind them.
"""

from __future__ import annotations

from tests.mutation.killers import MODEL
from tests.mutation.seeding import (
    ADJUST,
    RECOUNT,
    SEALS,
    STEP,
    WINDOWS,
    Fault,
    killed_by,
)

SETTLES = [
    Fault(
        "a settle is booked at what was held",
        STEP,
        "case when a.overdue then h.amount_usd else a.usd end as actual_usd",
        "h.amount_usd as actual_usd",
        killed_by("test_names", "the_second_is_told_what_the_first_was_charged"),
    ),
    Fault(
        "a balance is charged what was held",
        STEP,
        "then t.actual_usd when 'tokens'",
        "then t.amount_usd when 'tokens'",
        killed_by("test_adjustments", "a_refund_makes_room_in_the_window_it_was_charged_in"),
    ),
    Fault(
        "a settle gives back only what was spent",
        STEP,
        "sum(case b.unit when 'usd' then t.amount_usd",
        "sum(case b.unit when 'usd' then t.actual_usd",
        killed_by("test_adjustments", "a_refund_makes_room_in_the_window_it_was_charged_in"),
    ),
    Fault(
        "a late settle books its whole cost on top of the estimate",
        STEP,
        "greatest(a.usd - j.amount_usd, (",
        "greatest(a.usd, (",
        killed_by("test_changes", "an_overdue_hold_is_charged_in_full_and_corrected_once"),
    ),
    Fault(
        "an estimate is corrected as often as it is settled",
        STEP,
        "j.request_id, 1, 'correction'",
        "j.request_id, (select max(k.seq) + 1 from budgets_journalentry k"
        " where k.organization_id = j.organization_id and k.request_id = j.request_id),"
        " 'correction'",
        killed_by("test_changes", "an_overdue_hold_is_charged_in_full_and_corrected_once"),
    ),
    Fault(
        "an estimate is never corrected",
        STEP,
        "where j.kind = 'estimate' and",
        "where j.kind = 'credit' and",
        killed_by("test_changes", "an_overdue_hold_is_charged_in_full_and_corrected_once"),
    ),
    Fault(
        "a charge is corrected as an estimate is",
        STEP,
        "where j.kind = 'estimate' and",
        "where j.kind in ('estimate', 'charge') and",
        killed_by("test_mutants_found", "a_charge_is_not_corrected_by_settling_again"),
    ),
    Fault(
        "a call is charged in the newest window",
        STEP,
        "from taken t cross join lateral unnest(t.balance_ids) touched(id)\n"
        "      join budgets_balance b on b.id = touched.id",
        "from taken t cross join lateral unnest(t.balance_ids) touched(id)\n"
        "      join budgets_balance x on x.id = touched.id join lateral ("
        "        select * from budgets_balance n where n.budget_id = x.budget_id"
        "          and n.subject = x.subject"
        "          and n.organization_id is not distinct from x.organization_id"
        "        order by n.window_start desc limit 1) b on true",
        (
            *killed_by("test_raises", "a_call_under_way_from_yesterday_counts_in_the_last_days"),
            MODEL,
        ),
    ),
    Fault(
        "the journal says that a call was admitted when it was settled",
        STEP,
        "tags, session, balance_ids, admitted_at, v_now, ''",
        "tags, session, balance_ids, v_now, v_now, ''",
        killed_by("test_mutants_found", "the_journal_knows_when_a_call_was_admitted"),
    ),
    Fault(
        "an overdue hold is freed and not charged",
        STEP,
        "case when a.overdue then h.amount_usd else a.usd end",
        "case when a.overdue then 0 else a.usd end",
        killed_by("test_changes", "an_overdue_hold_is_charged_in_full_and_corrected_once"),
    ),
    Fault(
        "a hold is charged as overdue before it is",
        STEP,
        "(a.overdue is not true or h.expires_at <= v_now)",
        "true",
        killed_by("test_mutants_found", "a_hold_before_its_expiry_is_not_charged_as_overdue"),
    ),
    Fault(
        "anybody settles a call who knows its id",
        STEP,
        "and h.request_id = a.id and h.organization_id = a.org",
        "and h.request_id = a.id",
        killed_by("test_mutants_found", "nobody_settles_a_call_of_another_organization"),
    ),
    Fault(
        "what is spent beyond the limit is not told apart",
        STEP,
        "then greatest(b.spent + d.spent + b.held - d.released - b.limit_amount, 0) else 0 end",
        "then b.excess else 0 end",
        killed_by("test_changes", "a_cost_above_the_hold_is_booked_in_full"),
    ),
]

HOLDS = [
    Fault(
        "least_usd is ignored",
        STEP,
        "then c.least_usd when 'tokens'",
        "then c.usd when 'tokens'",
        killed_by("test_changes", "a_budget_added_in_mid_window_counts_from_the_windows_start"),
    ),
    Fault(
        "more is held than fits",
        STEP,
        "v_amount := least(v_amount, v_rooms[v_at]);",
        "v_amount := v_amount;",
        killed_by("test_changes", "a_budget_added_in_mid_window_counts_from_the_windows_start"),
    ),
    Fault(
        "calls of one batch do not see each other",
        STEP,
        "v_rooms[v_at] := v_rooms[v_at]\n            - case v_move.unit",
        "v_rooms[v_at] := v_rooms[v_at]\n            - 0 * case v_move.unit",
        killed_by("test_mutants_found", "calls_of_one_batch_see_each_other"),
    ),
    Fault(
        "in a batch tokens are counted as dollars",
        STEP,
        "- case v_move.unit when 'usd' then v_amount else v_move.asked end;",
        "- v_amount;",
        killed_by("test_mutants_found", "tokens_and_dollars_are_counted_apart"),
    ),
    Fault(
        "every unit is held as dollars",
        STEP,
        "sum(case m.unit when 'usd' then c.usd else m.asked end) as amount",
        "sum(c.usd) as amount",
        killed_by("test_mutants_found", "tokens_and_dollars_are_counted_apart"),
    ),
    Fault(
        "what a batch settles makes no room for its holds",
        STEP,
        "select coalesce(sum(d.released - d.spent), 0)",
        "select 0 * coalesce(sum(d.released - d.spent), 0)",
        (
            *killed_by("test_mutants_found", "what_a_batch_settles_makes_room_for_its_holds"),
            MODEL,
        ),
    ),
    Fault(
        "the first look counts what is held twice",
        STEP,
        "l.limit_amount - b.spent - b.held as room",
        "l.limit_amount - b.spent - b.held - b.held as room",
        killed_by("test_mutants_found", "what_is_left_beside_a_hold_can_be_held"),
    ),
    Fault(
        "calls of other sessions fall under the first one's budgets",
        STEP,
        "partition by key, model, tags, session)",
        "partition by key, model, tags)",
        killed_by("test_mutants_found", "each_call_of_a_batch_falls_under_its_own_session"),
    ),
    Fault(
        "a changed limit never arrives",
        STEP,
        "l.limit_amount <> b.limit_amount or g.blocks <> b.blocks as is_stale",
        "false as is_stale",
        killed_by("test_changes", "a_raised_limit_lets_the_next_call_through"),
    ),
    Fault(
        "an id is admitted again after its call",
        STEP,
        "where j.organization_id = who.organization_id and j.request_id = h.id)\n"
        "            then 'duplicate_resolved'",
        "where false)\n            then 'duplicate_resolved'",
        killed_by("test_mutants_found", "an_id_is_not_admitted_again_after_its_call"),
    ),
    Fault(
        "an id is admitted again during its call",
        STEP,
        "when exists (select from budgets_hold x where x.request_id = h.id)",
        "when false",
        killed_by("test_names", "the_same_request_again_is_not_another_one"),
    ),
    Fault(
        "a suspended organization is admitted",
        STEP,
        "when k.status <> 'active' then",
        "when false then",
        killed_by("test_changes", "a_suspended_organization_and_a_revoked_key_are_refused"),
    ),
    Fault(
        "an expired key is admitted",
        STEP,
        "and (a.expires_at <= v_now) is not true as is_active",
        "as is_active",
        killed_by("test_changes", "a_suspended_organization_and_a_revoked_key_are_refused"),
    ),
    Fault(
        "an archived project is admitted",
        STEP,
        "when k.is_archived then",
        "when false then",
        killed_by("test_mutants_found", "an_archived_project_is_refused"),
    ),
    Fault(
        "a key calls models that only its plan allows",
        STEP,
        "when cardinality(k.key_models) > 0",
        "when false",
        killed_by("test_changes", "the_plan_and_the_key_must_both_allow_the_model"),
    ),
]

NAMES = [
    Fault(
        "a refused call keeps its name",
        STEP,
        "where n.request_id = c.id and (c.i = any(v_refused_i)",
        "where n.request_id = c.id and (false",
        killed_by("test_names", "a_refused_call_gives_its_name_back"),
    ),
    Fault(
        "another body under a name is not noticed",
        STEP,
        "n.fingerprint <> h.fingerprint then",
        "false then",
        killed_by("test_names", "another_body_under_the_name_is_refused"),
    ),
    Fault(
        "a name is that of every key",
        STEP,
        "where x.api_key_id = h.key and x.name = h.name",
        "where x.name = h.name",
        killed_by("test_names", "another_key_has_names_of_its_own"),
    ),
    Fault(
        "a name is taken for two days",
        STEP,
        "v_now - interval '24 hours'",
        "v_now - interval '48 hours'",
        killed_by("test_names", "a_name_can_be_used_again_after_a_day"),
    ),
    Fault(
        "a released call keeps its name",
        STEP,
        "and j.kind = 'release' and",
        "and j.kind = 'credit' and",
        killed_by("test_mutants_found", "a_released_call_gives_its_name_back"),
    ),
]

LIMITS = [
    Fault(
        "a raise that was ended goes on",
        WINDOWS,
        "and r.ends_at > p_now",
        "",
        killed_by("test_raises", "raises_add_up_and_one_can_be_ended"),
    ),
    Fault(
        "a raise counts before its start",
        WINDOWS,
        "and r.starts_at <= p_now",
        "",
        killed_by("test_raises", "a_raise_counts_from_its_start_and_ends_by_itself"),
    ),
    Fault(
        "a raise counts for every organization",
        WINDOWS,
        "(r.organization_id is null or r.organization_id = p_caller_organization)",
        "true",
        killed_by("test_raises", "a_raise_can_be_for_one_organization_on_a_plan"),
    ),
    Fault(
        "the last days forget the first one",
        WINDOWS,
        "b.window_start >= budgets_first_day",
        "b.window_start > budgets_first_day",
        killed_by("test_raises", "the_last_days_add_up_and_the_first_day_drops_out"),
    ),
    Fault(
        "the last days count today twice",
        WINDOWS,
        "b.window_start <> budgets_window_start('day', p_zone, p_now)",
        "true",
        killed_by("test_raises", "the_last_days_add_up_and_the_first_day_drops_out"),
    ),
    Fault(
        "the site's own budgets are ignored",
        WINDOWS,
        "where x.active and x.plan_id is null and x.organization_id is null",
        "where false",
        killed_by("test_raises", "the_sites_budget_counts_every_organization"),
    ),
    Fault(
        "a call without a session falls under a budget of each session",
        WINDOWS,
        "case p_session when '' then '{}'::text[] else array[p_session] end",
        "array[p_session]",
        killed_by("test_raises", "each_session_has_a_balance_of_its_own"),
    ),
    Fault(
        "a budget that only warns blocks",
        WINDOWS,
        "b.enforcement = 'block', b.limit_amount",
        "true, b.limit_amount",
        killed_by("test_mutants_found", "a_budget_that_warns_lets_through"),
    ),
    Fault(
        "only a call's first tag is looked at",
        WINDOWS,
        "tag from unnest(p_tags) tag",
        "tag from unnest(p_tags[1:1]) tag",
        killed_by("test_mutants_found", "a_tags_budget_counts_calls_with_other_tags_before_it"),
    ),
    Fault(
        "a budget of each tag counts only the first",
        WINDOWS,
        "when 'tag' then p_tags",
        "when 'tag' then p_tags[1:1]",
        killed_by("test_mutants_found", "a_budget_of_each_tag_counts_every_tag"),
    ),
    Fault(
        "a member's own plan is ignored",
        WINDOWS,
        "x.plan_id = p_user_plan and x.each = 'user'",
        "x.plan_id = p_plan and x.each = 'user'",
        killed_by("test_changes", "a_members_own_plan_replaces_the_allowance_of_each_user"),
    ),
    Fault(
        "a budget for some models counts all",
        WINDOWS,
        "where b.model_pattern = '' or budgets_matches(b.model_pattern, p_model)",
        "",
        killed_by("test_mutants_found", "a_budget_for_some_models_leaves_the_others_alone"),
    ),
    Fault(
        "a retired budget goes on",
        WINDOWS,
        "where x.active and x.organization_id = p_organization",
        "where x.organization_id = p_organization",
        killed_by("test_mutants_found", "a_retired_budget_lets_through"),
    ),
    Fault(
        "windows begin in UTC",
        WINDOWS,
        "else date_trunc(p_window, p_now, p_zone)",
        "else date_trunc(p_window, p_now, 'UTC')",
        (*killed_by("test_change_time_zone", "gives_nobody_a_fresh_allowance"), MODEL),
    ),
]

BOOKS = [
    Fault(
        "a new plan does not count what is held",
        RECOUNT,
        "set held = b.held + t.held,",
        "set held = b.held,",
        killed_by("test_changes", "another_plan_counts_what_was_spent_and_is_held"),
    ),
    Fault(
        "a recount counts a hold that was counted before",
        RECOUNT,
        "      and b.id <> all(x.balance_ids)",
        "",
        killed_by("test_mutants_found", "counting_again_counts_a_hold_once"),
    ),
    Fault(
        "a recount forgets what a balance opened with",
        RECOUNT,
        "set opening = b.opening + excluded.spent - b.spent,",
        "set opening = 0,",
        killed_by("test_mutants_found", "counting_again_keeps_what_a_balance_opened_with"),
    ),
    Fault(
        "a recount counts the windows before too",
        RECOUNT,
        "else budgets_window_start(g.window_kind, v_zone, v_now) end\n    group by",
        "else '-infinity' end\n    group by",
        killed_by("test_mutants_found", "a_new_budget_leaves_out_the_day_before"),
    ),
    Fault(
        "more is given back than a call was charged",
        ADJUST,
        "j.request_id = p_request) + p_amount < 0",
        "j.request_id = p_request) + p_amount is null",
        (
            *killed_by("test_mutants_found", "gives_back_no_more_of_one_call_than_it_was_charged"),
            MODEL,
        ),
    ),
    Fault(
        "an adjustment takes the place of a late settle",
        ADJUST,
        "greatest(max(j.seq), 1) + 1",
        "max(j.seq) + 1",
        killed_by("test_adjustments", "a_late_settle_still_corrects_an_estimate_that_was_refunded"),
    ),
    Fault(
        "an adjustment beyond the limit is not told apart",
        ADJUST,
        "then greatest(b.spent + p_amount + b.held - b.limit_amount, 0) else 0 end",
        "then b.excess else 0 end",
        killed_by("test_adjustments", "a_correction_upward_counts_against_the_limit"),
    ),
    Fault(
        "a seal does not hold the one before it",
        SEALS,
        "v_open.hour, coalesce(v_previous, ''))",
        "v_open.hour, '')",
        killed_by("test_seals", "seals_each_closed_hour_once_and_in_a_chain"),
    ),
    Fault(
        "a seal does not cover who and why",
        SEALS,
        "j.reason, j.actor_id)",
        "'')",
        killed_by("test_mutants_found", "a_changed_reason_shows"),
    ),
    Fault(
        "the open hour is sealed",
        SEALS,
        "and j.booked_at < v_until",
        "and j.booked_at < p_until",
        killed_by("test_mutants_found", "an_hour_is_not_sealed_before_its_end"),
    ),
]

IN_SQL = [*SETTLES, *HOLDS, *NAMES, *LIMITS, *BOOKS]
