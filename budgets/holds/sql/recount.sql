-- Count again what is spent and held under every budget that applies now, in the windows that hold
-- now: after a budget came, a plan or a time zone changed, or was changed back. The journal and the
-- open holds say it, whatever applied when they were written. The lock, taken exclusively, keeps
-- every hold and settle that it concerns out meanwhile. p_organization null counts the site's own
-- budgets. Returns how many balances it set.
drop function if exists budgets_recount(bigint, timestamptz);

create function budgets_recount(p_organization bigint, p_now timestamptz default null)
returns integer language plpgsql as $$
declare
  v_now timestamptz;
  v_counted bigint[];
  v_zone text;
begin
  if p_organization is null then
    perform pg_advisory_xact_lock(70700, 0);
  else
    -- Whoever puts a budget on a plan takes it exclusively, and first: who came onto the plan before
    -- is counted there, and who comes after is counted here.
    perform pg_advisory_xact_lock_shared(70703, 0);
    perform pg_advisory_xact_lock_shared(70700, 0);
    perform pg_advisory_xact_lock(70701, (p_organization % 2147483647)::integer);
  end if;
  -- Behind the lock: a window may have ended while it was waited for.
  v_now := coalesce(p_now, clock_timestamp());

  -- Read behind the lock. The site's own budgets keep the site's time.
  v_zone := coalesce((select time_zone from budgets_organization where id = p_organization), 'UTC');

  with facts as (
    select organization_id, api_key_id, project_id, user_id, model, tags, session, admitted_at,
      amount_usd, tokens, (seq = 0)::integer as requests
    from budgets_journalentry where p_organization is null or organization_id = p_organization
    union all
    select organization_id, api_key_id, project_id, user_id, model, tags, session, admitted_at,
      0, 0, 0
    from budgets_hold where p_organization is null or organization_id = p_organization
  ), wanted as (
    select g.budget_id, g.organization_id, g.subject, g.unit, g.rank, g.blocks, g.limit_amount,
      budgets_window_start(
        g.window_kind, v_zone,
        case g.window_kind when 'rolling' then f.admitted_at else v_now end) as window_start,
      sum(case g.unit when 'usd' then f.amount_usd when 'tokens' then f.tokens
            when 'requests' then f.requests else 0 end) as spent
    from facts f
    join budgets_organization o on o.id = f.organization_id
    left join budgets_membership m on m.organization_id = o.id and m.user_id = f.user_id
    cross join lateral budgets_applying(
      o.id, o.plan_id, coalesce(m.plan_id, o.plan_id), f.project_id, f.user_id, f.api_key_id,
      f.model, f.tags, f.session) g
    where (g.organization_id is null) = (p_organization is null)
      and f.admitted_at >= case g.window_kind
        when 'rolling' then budgets_first_day(g.rolling_days, v_zone, v_now)
        else budgets_window_start(g.window_kind, v_zone, v_now) end
    group by 1, 2, 3, 4, 5, 6, 7, 8
  ), counted as (
    insert into budgets_balance as b (
      organization_id, budget_id, subject, window_start, unit, rank, blocks, limit_amount,
      held, spent, excess, opening)
    select organization_id, budget_id, subject, window_start, unit, rank, blocks, limit_amount,
      0, spent, greatest(spent - limit_amount, 0), spent
    from wanted order by budget_id, subject, window_start, organization_id
    on conflict (budget_id, subject, window_start, organization_id) do update
    set opening = b.opening + excluded.spent - b.spent, spent = excluded.spent,
      excess = greatest(excluded.spent + b.held - b.limit_amount, 0)
    returning b.id
  )
  select coalesce(array_agg(id), '{}') into v_counted from counted;

  -- Open holds that did not count in these balances do from now on, and will be settled there.
  with missing as (
    select x.request_id, b.id,
      case g.unit when 'usd' then x.amount_usd when 'tokens' then x.tokens else 1 end as held
    from budgets_hold x
    join budgets_organization o on o.id = x.organization_id
    left join budgets_membership m on m.organization_id = o.id and m.user_id = x.user_id
    cross join lateral budgets_applying(
      o.id, o.plan_id, coalesce(m.plan_id, o.plan_id), x.project_id, x.user_id, x.api_key_id,
      x.model, x.tags, x.session) g
    join budgets_balance b on b.id = any(v_counted) and b.budget_id = g.budget_id
      and b.subject = g.subject
      and b.window_start = budgets_window_start(
        g.window_kind, v_zone,
        case g.window_kind when 'rolling' then x.admitted_at else v_now end)
      and x.admitted_at >= b.window_start
    where (p_organization is null or x.organization_id = p_organization)
      and b.id <> all(x.balance_ids)
  ), noted as (
    update budgets_hold h set balance_ids = h.balance_ids || t.ids
    from (select request_id, array_agg(id order by id) as ids from missing group by 1) t
    where h.request_id = t.request_id
  )
  update budgets_balance b
  set held = b.held + t.held, excess = greatest(b.spent + b.held + t.held - b.limit_amount, 0)
  from (select id, sum(held) as held from missing group by 1) t
  where b.id = t.id;
  return cardinality(v_counted);
end
$$;
