-- Book a further amount under a call that was charged: a refund, a credit or a correction, in the
-- windows that the call was charged in. Returns booked, unknown (no such call), or below_zero (a
-- balance would have been spent backwards).
create function budgets_adjust(
  p_organization bigint, p_request uuid, p_kind text, p_amount numeric, p_reason text,
  p_actor bigint, p_now timestamptz default null)
returns text language plpgsql as $$
declare
  v_now constant timestamptz := coalesce(p_now, clock_timestamp());
  v_first budgets_journalentry;
begin
  perform pg_advisory_xact_lock_shared(70700, 0);
  perform pg_advisory_xact_lock_shared(70701, (p_organization % 2147483647)::integer);
  -- The first entry's row is the turn that adjustments of one call take.
  select * into v_first from budgets_journalentry
  where organization_id = p_organization and request_id = p_request and seq = 0 for update;
  if not found then
    return 'unknown';
  end if;

  perform from budgets_balance b where b.id = any(v_first.balance_ids)
  order by b.rank desc, b.id for update of b;
  if exists (select from budgets_balance b where b.id = any(v_first.balance_ids)
             and b.unit = 'usd' and b.spent + p_amount < 0)
    or (select sum(j.amount_usd) from budgets_journalentry j
        where j.organization_id = p_organization and j.request_id = p_request) + p_amount < 0 then
    return 'below_zero';
  end if;

  -- Seq 1 is kept for the correction that a late settle makes.
  insert into budgets_journalentry (
    organization_id, request_id, seq, kind, amount_usd, held_usd, tokens, api_key_id, project_id,
    user_id, model, tags, session, balance_ids, admitted_at, booked_at, reason, actor_id)
  select p_organization, p_request, greatest(max(j.seq), 1) + 1, p_kind, p_amount, 0, 0,
    v_first.api_key_id, v_first.project_id, v_first.user_id, v_first.model, v_first.tags,
    v_first.session, v_first.balance_ids, v_first.admitted_at, v_now, p_reason, p_actor
  from budgets_journalentry j
  where j.organization_id = p_organization and j.request_id = p_request;

  update budgets_balance b
  set spent = b.spent + p_amount,
    excess = case when b.blocks
      then greatest(b.spent + p_amount + b.held - b.limit_amount, 0) else 0 end
  where b.id = any(v_first.balance_ids) and b.unit = 'usd';
  return 'booked';
end
$$;
