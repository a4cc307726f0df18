"""Faults in Python: in operations, in the lane, and those that only a race shows."""

from __future__ import annotations

from tests.mutation.seeding import LANE, OPERATIONS, RECOUNT, STEP, Fault, killed_by

IN_PYTHON = [
    Fault(
        "a new budget counts nothing before it",
        OPERATIONS,
        "        for organization in _organizations_under(budget):\n"
        "            recount(organization=organization, now=now)",
        "        pass",
        killed_by("test_changes", "a_budget_added_in_mid_window_counts_from_the_windows_start"),
    ),
    Fault(
        "a shorter raise ends a longer one",
        OPERATIONS,
        "max(filter(None, (budget.raised_until, limit_raise.ends_at)))",
        "limit_raise.ends_at",
        killed_by("test_mutants_found", "a_shorter_raise_leaves_a_longer_one_alone"),
    ),
    Fault(
        "a raise is deleted when it is ended",
        OPERATIONS,
        "ends_at__gt=now, starts_at__lt=now).update(\n        ends_at=now\n    )",
        "starts_at__lt=now).delete()",
        killed_by("test_raises", "raises_add_up_and_one_can_be_ended"),
    ),
    Fault(
        "a refund needs no reason",
        OPERATIONS,
        "if not adjustment.reason.strip():",
        "if not adjustment.reason:",
        killed_by("test_adjustments", "needs_a_reason_and_a_call_of_the_organization"),
    ),
    Fault(
        "names are swept while their day lasts",
        OPERATIONS,
        "before=now - _NAMES_ARE_KEPT",
        "before=now",
        killed_by("test_names", "a_name_can_be_used_again_after_a_day"),
    ),
    Fault(
        "balances of a minute are swept when it ends",
        OPERATIONS,
        "before=now - _RATES_ARE_KEPT",
        "before=now",
        killed_by("test_mutants_found_later", "a_minute_that_has_just_ended_is_kept"),
    ),
    Fault(
        "a raise does not begin before it is ended",
        OPERATIONS,
        "LimitRaise.objects.filter(pk=limit_raise.pk, starts_at__gte=now).delete()",
        "pass",
        killed_by("test_raises", "raises_add_up_and_one_can_be_ended"),
    ),
    Fault(
        "another time zone begins new windows",
        OPERATIONS,
        "update(time_zone=time_zone)\n        recount(organization=organization, now=now)",
        "update(time_zone=time_zone)",
        killed_by("test_change_time_zone", "gives_nobody_a_fresh_allowance"),
    ),
    Fault(
        "another plan counts nothing",
        OPERATIONS,
        "update(plan=plan)\n        recount(organization=organization, now=now)",
        "update(plan=plan)",
        killed_by("test_changes", "another_plan_counts_what_was_spent_and_is_held"),
    ),
]

IN_THE_LANE = [
    Fault(
        "a second hold of one id is taken for the first",
        LANE,
        'if operation.was_tried and verdict.code == "duplicate_open":',
        'if verdict.code == "duplicate_open":',
        killed_by("test_lane", "runs_the_same_id_once_however_often_it_waits"),
    ),
    Fault(
        "a hold whose answer was lost is refused as its own duplicate",
        LANE,
        "operation.was_tried = operation.was_tried or operation in batch",
        "operation.was_tried = False",
        killed_by("test_lane", "takes_a_hold_for_its_own_when_its_first_answer_was_lost"),
    ),
    Fault(
        "a hold whose patience is over is kept",
        LANE,
        "            if operation in batch and isinstance(operation.asked, HoldRequest):\n"
        "                self._release_unsent(operation.asked)",
        "            pass",
        killed_by(
            "test_lane", "gives_back_a_hold_whose_answer_was_lost_and_that_nobody_waited_for"
        ),
    ),
    Fault(
        "a full lane takes more",
        LANE,
        "if self._is_stopping or len(self._waiting) >= _MOST_WAITING:",
        "if self._is_stopping:",
        killed_by("test_lane", "refuses_more_than_it_can_keep_waiting"),
    ),
]

IN_RACES = [
    Fault(
        "balances are not locked",
        STEP,
        "order by b.rank desc, b.id for update of b;",
        "order by b.rank desc, b.id;",
        ("concurrency.test_admission:test_admits_exactly_what_fits",),
    ),
    Fault(
        "balances are locked in any order",
        STEP,
        "order by b.rank desc, b.id for update of b;",
        "order by random() for update of b;",
        (
            "concurrency.test_admission:test_gives_back_the_narrow_budgets_when_the_wide_one_is_full",
        ),
    ),
    Fault(
        "a hold does not wait for a recount under way",
        STEP,
        "perform pg_advisory_xact_lock_shared(70701, (x.id % 2147483647)::integer) from (",
        "perform x.id from (",
        killed_by("test_mutants_found", "a_hold_waits_for_a_recount_of_its_organization"),
    ),
    Fault(
        "the day before is not locked",
        STEP,
        "and y.window_start >= m.window_start - interval '26 hours'",
        "and y.window_start >= m.window_start",
        killed_by("test_changes_at_once", "the_day_before_is_waited_for"),
    ),
    Fault(
        "a step is judged by the clock before its locks",
        STEP,
        "v_now := coalesce(p_now, clock_timestamp());",
        "v_now := coalesce(p_now, transaction_timestamp());",
        killed_by(
            "test_changes_at_once",
            "a_hold_that_waited_for_a_count_is_judged_by_the_clock_after_it",
        ),
    ),
    Fault(
        "who comes onto a plan is not waited for",
        OPERATIONS,
        "        if budget.plan_id is not None:\n            _keep_everyone_on_their_plans()\n",
        "",
        killed_by("test_changes_at_once", "who_comes_onto_a_plan_before_its_new_budget_counts"),
    ),
    Fault(
        "a recount does not wait for a new budget of a plan",
        RECOUNT,
        "perform pg_advisory_xact_lock_shared(70703, 0);",
        "null;",
        killed_by("test_changes_at_once", "who_comes_onto_a_plan_after_its_new_budget_counts"),
    ),
    Fault(
        "a changed budget forgets its raises",
        OPERATIONS,
        "budget.raised_until = known.raised_until if known else None",
        "pass",
        killed_by(
            "test_changes_at_once", "a_raise_outlives_a_change_that_had_read_the_budget_before_it"
        ),
    ),
    Fault(
        "a raise locks its budget's key",
        OPERATIONS,
        "Budget.objects.select_for_update(no_key=True).get(",
        "Budget.objects.select_for_update().get(",
        killed_by("test_changes_at_once", "a_raise_keeps_no_step_from_opening_a_balance"),
    ),
    Fault(
        "a recount keeps nobody out",
        RECOUNT,
        "perform pg_advisory_xact_lock(70701, (p_organization % 2147483647)::integer);",
        "null;",
        killed_by("test_mutants_found", "a_hold_waits_for_a_recount_of_its_organization"),
    ),
]
