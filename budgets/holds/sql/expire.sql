-- Charge overdue holds in full, as estimates. No lock is taken before the step's own: a hold that
-- is settled or renewed in between is simply not charged here.
create function budgets_expire(p_most integer, p_now timestamptz default null)
returns integer language sql as $$
  select count(*)::integer from budgets_step('[]', coalesce((
    select jsonb_agg(jsonb_build_object(
      'id', h.request_id, 'org', h.organization_id, 'kind', 'estimate', 'overdue', true))
    from (select * from budgets_hold
          where expires_at <= coalesce(p_now, clock_timestamp())
          order by expires_at limit p_most) h), '[]'), p_now)
  where code = 'settled'
$$;

-- Open the balances of budgets that have come to apply in the middle of a window, with what the
-- journal and the open holds say was spent and is held under them already. Taken exclusively, the
-- organization's lock keeps every hold and settle out meanwhile. Rate limits begin empty: their
-- windows are short. Returns how many balances were opened.
create function budgets_open_balances(p_organization bigint, p_now timestamptz default null)
returns integer language plpgsql as $$
declare
  v_now constant timestamptz := coalesce(p_now, clock_timestamp());
  v_opened bigint[];
begin
  perform pg_advisory_xact_lock(70701, (p_organization % 2147483647)::integer);

  with facts as (
    select api_key_id, project_id, user_id, model, tags, admitted_at, amount_usd as spent, 0 as held
    from budgets_journalentry where organization_id = p_organization
    union all
    select api_key_id, project_id, user_id, model, tags, admitted_at, 0, amount_usd
    from budgets_hold where organization_id = p_organization
  ), counted as (
    select g.budget_id, g.subject, g.rank, g.blocks, g.limit_amount, g.version,
      budgets_window_start(g.window_kind, o.time_zone, v_now) as window_start,
      sum(f.spent) as spent, sum(f.held) as held
    from facts f
    join budgets_organization o on o.id = p_organization
    left join budgets_membership m on m.organization_id = o.id and m.user_id = f.user_id
    cross join lateral budgets_applying(
      o.id, o.plan_id, coalesce(m.plan_id, o.plan_id), f.project_id, f.user_id, f.api_key_id,
      f.model, f.tags) g
    where g.unit = 'usd' and f.admitted_at >= budgets_window_start(g.window_kind, o.time_zone, v_now)
    group by 1, 2, 3, 4, 5, 6, 7
  ), opened as (
    insert into budgets_balance (
      organization_id, budget_id, subject, window_start, unit, rank, blocks, limit_amount,
      limit_version, held, spent, excess, opening)
    select p_organization, budget_id, subject, window_start, 'usd', rank, blocks, limit_amount,
      version, held, greatest(spent, 0),
      case when blocks then greatest(held + greatest(spent, 0) - limit_amount, 0) else 0 end,
      greatest(spent, 0)
    from counted order by budget_id, subject, window_start
    on conflict do nothing
    returning id
  )
  select coalesce(array_agg(id), '{}') into v_opened from opened;

  -- The open holds count in the new balances too, and will be settled there.
  update budgets_hold h set balance_ids = h.balance_ids || t.ids
  from (
    select x.request_id, array_agg(b.id) as ids
    from budgets_hold x
    join budgets_organization o on o.id = x.organization_id
    left join budgets_membership m on m.organization_id = o.id and m.user_id = x.user_id
    cross join lateral budgets_applying(
      o.id, o.plan_id, coalesce(m.plan_id, o.plan_id), x.project_id, x.user_id, x.api_key_id,
      x.model, x.tags) g
    join budgets_balance b on b.id = any(v_opened) and b.budget_id = g.budget_id
      and b.subject = g.subject and x.admitted_at >= b.window_start
    where x.organization_id = p_organization
    group by x.request_id) t
  where h.request_id = t.request_id;
  return cardinality(v_opened);
end
$$;
