-- One step of the ledger: any number of settles and holds, of any tenants, in one transaction.
-- Every operation gets its own verdict. Repeating a step with the same request ids is harmless.
--
-- p_settles  [{"id", "org", "usd", "tokens", "kind": charge|release|estimate, "overdue"}]
--            overdue: charge the whole hold, and only if it is past its expiry
-- p_holds    [{"id", "key", "model", "tags", "session", "usd", "least_usd", "tokens", "ttl_s",
--              "name", "fingerprint"}]
--            usd is the worst case; where it does not fit, as much as fits is held,
--            down to least_usd, below which the call is refused. name and fingerprint are those
--            of an Idempotency-Key
-- p_now      the instant to judge by; the database's clock when null
--
-- Verdicts of a settle: settled, corrected (a late settle of an estimate), already, unknown.
-- Verdicts of a hold:   admitted, over_limit (see budget), invalid_api_key,
--                       organization_suspended, project_archived, model_not_allowed,
--                       duplicate_open, duplicate_resolved, and for a name that was used before:
--                       name_in_flight, name_done, name_mismatch (see told for the first request).
--                       One that was admitted is told the limits of its requests and tokens.
--
-- Locks, in the one order that every writer keeps: the site's and the organizations' advisory
-- locks (shared; whoever changes what applies takes them exclusively), the rows of the calls
-- themselves, names, new balances, then balances from the highest rank to the lowest: the row most
-- calls share last.
drop function if exists budgets_step(json, json, timestamptz);
drop function if exists budgets_balance_told(budgets_budget, budgets_balance, numeric);
drop type if exists budgets_asked, budgets_ending, budgets_caller, budgets_move, budgets_delta,
  budgets_settled;

create type budgets_asked as (
  i bigint, alike bigint, id uuid, key bigint, model text, tags text[], session text, usd numeric,
  least_usd numeric, tokens bigint, ttl_s integer, name text, fingerprint text);

create type budgets_ending as (
  id uuid, org bigint, usd numeric, tokens bigint, kind text, overdue boolean);

create type budgets_caller as (
  i bigint, alike bigint, id uuid, code text, organization_id bigint, plan_id bigint,
  user_plan_id bigint, zone text, api_key_id bigint, project_id bigint, user_id bigint, model text,
  tags text[], session text, first_id uuid, usd numeric, least_usd numeric, tokens bigint,
  ttl_s integer);

create type budgets_move as (
  i bigint, organization_id bigint, caller_organization_id bigint, budget_id bigint, subject text,
  window_start timestamptz, zone text, unit text, rank smallint, blocks boolean,
  limit_amount numeric, balance_id bigint, asked numeric, least numeric, room numeric,
  is_rolling boolean, is_stale boolean);

create type budgets_delta as (balance_id bigint, released numeric, spent numeric);

create type budgets_settled as (id uuid, amount_usd numeric, balance_ids bigint[]);

-- What people are told of a balance, under a limit that holds now. Amounts are text: JSON has no
-- exact numbers. In a window of the last days, what the days before have used counts as spent.
create function budgets_balance_told(d budgets_budget, b budgets_balance, p_limit numeric)
returns jsonb language sql stable as $$
  select jsonb_build_object(
    'id', d.id, 'name', d.name, 'unit', d.unit, 'window', d."window", 'subject', b.subject,
    'window_start', b.window_start, 'is_sites', b.organization_id is null, 'held', b.held::text,
    'limit', (case d."window" when 'rolling' then greatest(d.limit_amount, p_limit)
              else p_limit end)::text,
    'spent', (b.spent + case d."window" when 'rolling'
              then greatest(d.limit_amount - p_limit, 0) else 0 end)::text)
$$;

-- Every table is read by an index. A connection plans each statement once, when it first runs it:
-- on a young site the tables are nearly empty then, and the planner would read them whole, call
-- after call, while they grow, until autovacuum tells it otherwise.
create function budgets_step(p_holds json, p_settles json, p_now timestamptz default null)
returns table (op text, request_id uuid, code text, amount_usd numeric, told jsonb)
language plpgsql set enable_seqscan = off as $$
#variable_conflict use_column
declare
  v_now timestamptz;
  v_asked budgets_asked[] := '{}';
  v_endings budgets_ending[] := '{}';
  v_settled budgets_settled[] := '{}';
  v_late budgets_settled[] := '{}';
  v_deltas budgets_delta[] := '{}';
  v_late_deltas budgets_delta[] := '{}';
  v_callers budgets_caller[] := '{}';
  v_moves budgets_move[] := '{}';
  v_refused_i bigint[] := '{}';
  v_refused_balance bigint[] := '{}';
  v_refused_limit numeric[] := '{}';
  v_balances bigint[];
  v_rooms numeric[];
  v_caller budgets_caller;
  v_move budgets_move;
  v_told jsonb[];
  v_amount numeric;
  v_failing bigint;
  v_at integer;
  v_fits boolean := true;
  v_are_named boolean := false;
  v_are_new boolean;
  v_lack_room boolean;
  v_are_stale boolean;
  v_are_rolling boolean;
  v_have_rates boolean;
begin
  -- Calls that are alike fall under the same rules and budgets: those of the first hold for all.
  if json_array_length(p_holds) > 0 then
    v_asked := array(
      select row(i, min(i) over (partition by key, model, tags, session), id, key, model, tags,
        session, usd, least_usd, tokens, ttl_s, name, fingerprint)::budgets_asked
      from rows from (json_to_recordset(p_holds) as (
          id uuid, key bigint, model text, tags text[], session text, usd numeric,
          least_usd numeric, tokens bigint, ttl_s integer, name text, fingerprint text))
        with ordinality
        h(id, key, model, tags, session, usd, least_usd, tokens, ttl_s, name, fingerprint, i)
      order by i);
    v_are_named := exists (select from unnest(v_asked) h where h.name is not null);
  end if;
  if json_array_length(p_settles) > 0 then
    v_endings := array(
      select distinct on (s.id) row(s.*)::budgets_ending from json_to_recordset(p_settles)
        s(id uuid, org bigint, usd numeric, tokens bigint, kind text, overdue boolean));
  end if;

  perform pg_advisory_xact_lock_shared(70700, 0);
  perform pg_advisory_xact_lock_shared(70701, (x.id % 2147483647)::integer) from (
    select a.organization_id as id from budgets_apikey a
    where a.id = any(array(select h.key from unnest(v_asked) h where h.i = h.alike))
    union select s.org from unnest(v_endings) s where s.org is not null
    order by id) x;
  -- Behind the lock: a window may have ended while a recount was waited for, which then did not
  -- count it.
  v_now := coalesce(p_now, clock_timestamp());

  -- 1. Take away the holds that are settled and book their charges.
  if cardinality(v_endings) > 0 then
    with taken as (
      delete from budgets_hold h using unnest(v_endings) a
      where h.request_id = any(array(select e.id from unnest(v_endings) e))
        and h.request_id = a.id and h.organization_id = a.org
        and (a.overdue is not true or h.expires_at <= v_now)
      returning h.*, a.kind,
        case when a.overdue then h.amount_usd else a.usd end as actual_usd,
        case when a.overdue then h.tokens else a.tokens end as actual_tokens
    ), booked as (
      insert into budgets_journalentry (
        organization_id, request_id, seq, kind, amount_usd, held_usd, tokens, api_key_id,
        project_id, user_id, model, tags, session, balance_ids, admitted_at, booked_at, reason)
      select organization_id, request_id, 0, kind, actual_usd, amount_usd, actual_tokens,
        api_key_id, project_id, user_id, model, tags, session, balance_ids, admitted_at, v_now, ''
      from taken order by request_id
    ), changed as (
      select b.id,
        sum(case b.unit when 'usd' then t.amount_usd when 'tokens' then t.tokens else 1 end) released,
        sum(case b.unit when 'usd' then t.actual_usd when 'tokens' then t.actual_tokens
              when 'requests' then 1 else 0 end) spent
      from taken t cross join lateral unnest(t.balance_ids) touched(id)
      join budgets_balance b on b.id = touched.id
      group by b.id
    )
    select
      coalesce((select array_agg(row(id, released, spent)::budgets_delta) from changed), '{}'),
      coalesce((select array_agg(row(request_id, actual_usd, balance_ids)::budgets_settled)
                from taken), '{}')
    into v_deltas, v_settled;

    -- A settle that comes after its estimate books the difference, once: seq 1 is the guard. It
    -- gives back no more than people's refunds have left; the first entry's row is the turn that
    -- they and it take.
    if cardinality(v_settled) < cardinality(v_endings) then
      perform from budgets_journalentry j join unnest(v_endings) a
        on j.organization_id = a.org and j.request_id = a.id and j.seq = 0
      where j.kind = 'estimate' order by j.request_id for update of j;
      with booked as (
        insert into budgets_journalentry (
          organization_id, request_id, seq, kind, amount_usd, held_usd, tokens, api_key_id,
          project_id, user_id, model, tags, session, balance_ids, admitted_at, booked_at, reason)
        select j.organization_id, j.request_id, 1, 'correction',
          greatest(a.usd - j.amount_usd, (
            select -sum(k.amount_usd) from budgets_journalentry k
            where k.organization_id = j.organization_id and k.request_id = j.request_id)), 0,
          a.tokens - j.tokens, j.api_key_id, j.project_id, j.user_id, j.model, j.tags,
          j.session, j.balance_ids, j.admitted_at, v_now, 'settled after the estimate'
        from unnest(v_endings) a join budgets_journalentry j
          on j.organization_id = a.org and j.request_id = a.id and j.seq = 0
        where j.kind = 'estimate' and a.kind in ('charge', 'release') and a.overdue is not true
          and not exists (select from unnest(v_settled) done where done.id = a.id)
        on conflict do nothing
        returning request_id, amount_usd, tokens, balance_ids
      ), changed as (
        select b.id,
          sum(case b.unit when 'usd' then k.amount_usd when 'tokens' then k.tokens else 0 end) spent
        from booked k cross join lateral unnest(k.balance_ids) touched(id)
        join budgets_balance b on b.id = touched.id
        group by b.id
      )
      select
        coalesce((select array_agg(row(id, 0, spent)::budgets_delta) from changed), '{}'),
        coalesce((select array_agg(row(request_id, amount_usd, balance_ids)::budgets_settled)
                  from booked), '{}')
      into v_late_deltas, v_late;
      v_deltas := v_deltas || v_late_deltas;
    end if;
  end if;

  -- 2. Who asks, and may they at all? A name is claimed first, so that of two requests under it
  -- the second waits here for the first one's verdict.
  if cardinality(v_asked) > 0 then
    if v_are_named then
      insert into budgets_idempotencykey (api_key_id, name, fingerprint, request_id, claimed_at)
      select distinct on (h.key, h.name) h.key, h.name, h.fingerprint, h.id, v_now
      from unnest(v_asked) h where h.name is not null order by h.key, h.name, h.i
      on conflict (api_key_id, name) do update
        set fingerprint = excluded.fingerprint, request_id = excluded.request_id,
          claimed_at = excluded.claimed_at
        where budgets_idempotencykey.claimed_at <= v_now - interval '24 hours'
          -- A call for which nothing was billed has given its name back.
          or exists (
            select from budgets_journalentry j
            where j.request_id = budgets_idempotencykey.request_id and j.seq = 0
              and j.kind = 'release' and j.organization_id = (
                select a.organization_id from budgets_apikey a
                where a.id = budgets_idempotencykey.api_key_id));
    end if;

    with who as materialized (
      -- The offset is a fence: the planner, which takes a batch for a hundred calls, would read
      -- the tables of all keys and all members instead of probing their indexes.
      select h.alike, k.*,
        case
          when k.api_key_id is null or not k.is_active then 'invalid_api_key'
          when k.status <> 'active' then 'organization_suspended'
          when k.is_archived then 'project_archived'
          when cardinality(k.plan_models) > 0
            and not budgets_allows(k.plan_models, h.model) then 'model_not_allowed'
          when cardinality(k.key_models) > 0
            and not budgets_allows(k.key_models, h.model) then 'model_not_allowed'
          else 'admitted'
        end as code
      from unnest(v_asked) h left join lateral (
        select o.id as organization_id, o.plan_id, plan.id as user_plan_id, o.time_zone as zone,
          o.status, a.id as api_key_id, a.project_id, a.user_id,
          p.archived_at is not null as is_archived,
          a.status = 'active' and u.is_active and (a.expires_at <= v_now) is not true as is_active,
          plan.allowed_models as plan_models, a.allowed_models as key_models
        from budgets_apikey a
        join budgets_organization o on o.id = a.organization_id
        join budgets_project p on p.id = a.project_id
        join budgets_user u on u.id = a.user_id
        join budgets_membership m on m.organization_id = o.id and m.user_id = a.user_id
        join budgets_plan plan on plan.id = coalesce(m.plan_id, o.plan_id)
        where a.id = h.key
        offset 0) k on true
      where h.i = h.alike
    )
    select array_agg(row(h.i, h.alike, h.id,
        case
          when who.code <> 'admitted' then who.code
          when n.request_id <> h.id and n.fingerprint <> h.fingerprint then 'name_mismatch'
          when n.request_id <> h.id and exists (
            select from budgets_journalentry j
            where j.organization_id = who.organization_id and j.request_id = n.request_id)
            then 'name_done'
          when n.request_id <> h.id then 'name_in_flight'
          when exists (select from budgets_hold x where x.request_id = h.id) then 'duplicate_open'
          when exists (select from budgets_journalentry j
                       where j.organization_id = who.organization_id and j.request_id = h.id)
            then 'duplicate_resolved'
          else 'admitted'
        end,
        who.organization_id, who.plan_id, who.user_plan_id, who.zone, who.api_key_id,
        who.project_id, who.user_id, h.model, coalesce(h.tags, '{}'), coalesce(h.session, ''),
        nullif(n.request_id, h.id), h.usd, least(coalesce(h.least_usd, h.usd), h.usd), h.tokens,
        h.ttl_s)::budgets_caller order by h.i)
    into v_callers
    from unnest(v_asked) h join who on who.alike = h.alike
    left join lateral (
      select x.request_id, x.fingerprint from budgets_idempotencykey x
      where x.api_key_id = h.key and x.name = h.name
      offset 0) n on h.name is not null;

    -- 3. Which balances does each call touch? Those that do not exist yet are opened.
    loop
      with falls as materialized (
        select c.i as alike, g.organization_id, c.organization_id as caller_organization_id,
          g.budget_id, g.subject, w.window_start, w.zone, g.unit, g.rank, g.blocks,
          l.limit_amount, b.id as balance_id, l.limit_amount - b.spent - b.held as room,
          g.rolling_days is not null as is_rolling,
          l.limit_amount <> b.limit_amount or g.blocks <> b.blocks as is_stale
        from unnest(v_callers) c
        cross join lateral budgets_applying(
          c.organization_id, c.plan_id, c.user_plan_id, c.project_id, c.user_id, c.api_key_id,
          c.model, c.tags, c.session) g
        -- All organizations share the site's own budgets, so these keep the site's time.
        cross join lateral (
          select z.zone, budgets_window_start(g.window_kind, z.zone, v_now) as window_start
          from (select case when g.organization_id is null then 'UTC' else c.zone end) z(zone)) w
        cross join lateral (
          select case when g.raised_until is null and g.rolling_days is null then g.limit_amount
            else budgets_limit_now(
              g.budget_id, g.limit_amount, g.raised_until, g.window_kind, g.rolling_days,
              g.organization_id, c.organization_id, g.subject, w.zone, v_now)
            end as limit_amount) l
        -- Two probes of one index, of which one runs: a balance of the site's own budgets has no
        -- organization, and no index serves "is not distinct from".
        left join lateral (
          select * from budgets_balance x
          where x.budget_id = g.budget_id and x.subject = g.subject
            and x.window_start = w.window_start and x.organization_id = g.organization_id
          union all
          select * from budgets_balance x
          where g.organization_id is null and x.budget_id = g.budget_id
            and x.subject = g.subject and x.window_start = w.window_start
            and x.organization_id is null) b on true
        where c.i = c.alike
      )
      select coalesce(array_agg(row(
          c.i, f.organization_id, f.caller_organization_id, f.budget_id, f.subject,
          f.window_start, f.zone, f.unit, f.rank, f.blocks, f.limit_amount, f.balance_id,
          case f.unit when 'usd' then c.usd when 'tokens' then c.tokens else 1 end,
          case f.unit when 'usd' then c.least_usd when 'tokens' then c.tokens else 1 end,
          f.room, f.is_rolling, f.is_stale or f.is_rolling)::budgets_move order by c.i, f.balance_id), '{}')
      into v_moves
      from falls f join unnest(v_callers) c on c.alike = f.alike
      where c.code = 'admitted';
      select coalesce(bool_or(m.balance_id is null), false),
        bool_or(m.blocks and m.least > m.room), bool_or(m.is_stale), bool_or(m.is_rolling),
        bool_or(m.unit in ('requests', 'tokens'))
      into v_are_new, v_lack_room, v_are_stale, v_are_rolling, v_have_rates
      from unnest(v_moves) m;
      exit when not v_are_new;
      insert into budgets_balance (
        organization_id, budget_id, subject, window_start, unit, rank, blocks, limit_amount,
        held, spent, excess, opening)
      select distinct m.organization_id, m.budget_id, m.subject, m.window_start, m.unit, m.rank,
        m.blocks, m.limit_amount, 0, 0, 0, 0
      from unnest(v_moves) m where m.balance_id is null
      order by m.budget_id, m.subject, m.window_start, m.organization_id
      on conflict do nothing;
    end loop;

    -- 4. Who cannot fit even alone is refused here, without a lock or a write.
    if v_lack_room then
      select coalesce(array_agg(f.i), '{}'), coalesce(array_agg(f.balance_id), '{}'),
        coalesce(array_agg(f.limit_amount), '{}')
      into v_refused_i, v_refused_balance, v_refused_limit
      from (select distinct on (m.i) m.i, m.balance_id, m.limit_amount
            from unnest(v_moves) m
            cross join lateral (
              -- What this step's settles give back counts; few calls need to know it.
              select case when m.least <= m.room then m.room else greatest(0, m.room + (
                select coalesce(sum(d.released - d.spent), 0)
                from unnest(v_deltas) d where d.balance_id = m.balance_id)) end as room) r
            where m.blocks and m.least > r.room
            order by m.i, m.unit <> 'usd', r.room, m.balance_id) f;
      if cardinality(v_refused_i) > 0 then
        v_moves := array(select m from unnest(v_moves) m
                         where m.i <> all(v_refused_i) order by m.i, m.balance_id);
      end if;
    end if;
  end if;

  -- 5. Lock every balance once, in the one order. Where the last days count together the day
  -- before is locked too: a step on the other side of midnight may be holding there.
  v_balances := array(
    select m.balance_id from unnest(v_moves) m union select d.balance_id from unnest(v_deltas) d);
  if v_are_rolling then
    v_balances := v_balances || array(
      select y.id from unnest(v_moves) m join budgets_balance y
        on y.budget_id = m.budget_id and y.subject = m.subject
        and y.organization_id is not distinct from m.organization_id
        and y.window_start < m.window_start
        and y.window_start >= m.window_start - interval '26 hours'
      where m.is_rolling);
  end if;
  perform from budgets_balance b where b.id = any(v_balances)
  order by b.rank desc, b.id for update of b;

  -- A changed limit is carried over to the balance. It is read again here, behind the lock: so
  -- nobody who read it earlier can put an old one back. That of the last days may always have
  -- changed meanwhile.
  if v_are_stale then
    update budgets_balance b
    set limit_amount = l.limit_amount, blocks = l.blocks,
      excess = case when l.blocks then greatest(b.spent + b.held - l.limit_amount, 0) else 0 end
    from (
      select distinct m.balance_id, d.enforcement = 'block' as blocks,
        budgets_limit_now(
          d.id, d.limit_amount, d.raised_until, d."window", d.rolling_days, m.organization_id,
          m.caller_organization_id, m.subject, m.zone, v_now) as limit_amount
      from unnest(v_moves) m join budgets_budget d on d.id = m.budget_id where m.is_stale) l
    where b.id = l.balance_id
      and (l.limit_amount <> b.limit_amount or l.blocks <> b.blocks);
  end if;

  -- 6. Settles first: they make room.
  if cardinality(v_deltas) > 0 then
    update budgets_balance b
    set held = b.held - d.released, spent = b.spent + d.spent,
      excess = case when b.blocks
        then greatest(b.spent + d.spent + b.held - d.released - b.limit_amount, 0) else 0 end
    from (select balance_id, sum(released) as released, sum(spent) as spent
          from unnest(v_deltas) group by balance_id) d
    where b.id = d.balance_id;
  end if;

  -- 7. Usually all fit: one addition a balance. Else one call after the other, as they came.
  if cardinality(v_moves) > 0 then
    select bool_and(not b.blocks or t.asked <= greatest(b.limit_amount - b.spent - b.held, 0))
    into v_fits
    from (select balance_id, sum(asked) as asked from unnest(v_moves) group by balance_id) t
    join budgets_balance b on b.id = t.balance_id;

    if not v_fits then
      select array_agg(b.id order by b.id),
        array_agg(case when b.blocks
          then greatest(b.limit_amount - b.spent - b.held, 0) end order by b.id)
      into v_balances, v_rooms
      from budgets_balance b where b.id in (select m.balance_id from unnest(v_moves) m);

      foreach v_caller in array v_callers loop
        continue when v_caller.code <> 'admitted' or v_caller.i = any(v_refused_i);
        v_amount := v_caller.usd;
        v_failing := null;
        for v_move in select * from unnest(v_moves) m where m.i = v_caller.i
                      order by m.unit <> 'usd', m.balance_id loop
          v_at := array_position(v_balances, v_move.balance_id);
          continue when v_rooms[v_at] is null;
          if v_move.least > v_rooms[v_at] then
            v_failing := v_move.balance_id;
            v_amount := v_move.limit_amount;
            exit;
          elsif v_move.unit = 'usd' then
            v_amount := least(v_amount, v_rooms[v_at]);
          end if;
        end loop;
        if v_failing is not null then
          v_refused_i := v_refused_i || v_caller.i;
          v_refused_balance := v_refused_balance || v_failing;
          v_refused_limit := v_refused_limit || v_amount;
          continue;
        end if;
        v_callers[v_caller.i].usd := v_amount;
        for v_move in select * from unnest(v_moves) m where m.i = v_caller.i loop
          v_at := array_position(v_balances, v_move.balance_id);
          v_rooms[v_at] := v_rooms[v_at]
            - case v_move.unit when 'usd' then v_amount else v_move.asked end;
        end loop;
      end loop;
      v_moves := array(select m from unnest(v_moves) m where m.i <> all(v_refused_i));
    end if;

    update budgets_balance b set held = b.held + t.amount
    from (
      select m.balance_id, sum(case m.unit when 'usd' then c.usd else m.asked end) as amount
      from unnest(v_moves) m join unnest(v_callers) c on c.i = m.i
      group by m.balance_id) t
    where b.id = t.balance_id;
  end if;

  if cardinality(v_callers) > 0 then
    insert into budgets_hold (
      request_id, organization_id, api_key_id, project_id, user_id, model, tags, session, amount_usd,
      tokens, balance_ids, admitted_at, expires_at)
    select c.id, c.organization_id, c.api_key_id, c.project_id, c.user_id, c.model, c.tags, c.session,
      c.usd, c.tokens, coalesce(t.balance_ids, '{}'), v_now, v_now + make_interval(secs => c.ttl_s)
    from unnest(v_callers) c
    left join (select m.i, array_agg(m.balance_id order by m.balance_id) as balance_ids
               from unnest(v_moves) m group by m.i) t on t.i = c.i
    where c.code = 'admitted' and c.i <> all(v_refused_i);
  end if;

  -- 8. A refused call gives its name back. Each operation's own verdict; with a settle, the
  -- balance that has least left, but none of the site's own.
  if v_are_named then
    delete from budgets_idempotencykey n using unnest(v_callers) c
    where n.request_id = c.id and (c.i = any(v_refused_i)
      or c.code not in ('admitted', 'duplicate_open', 'duplicate_resolved'));
  end if;

  if cardinality(v_callers) > 0 then
    if v_are_named or v_have_rates or cardinality(v_refused_i) > 0 then
      v_told := array(
        with refused as materialized (
          select * from unnest(v_refused_i, v_refused_balance, v_refused_limit)
            r(i, balance_id, limit_amount)
        ), balances as materialized (
          select r.balance_id, r.limit_amount, budgets_balance_told(d, b, r.limit_amount) as told
          from (select distinct x.balance_id, x.limit_amount from refused x) r
          join budgets_balance b on b.id = r.balance_id
          join budgets_budget d on d.id = b.budget_id
        ), rates as materialized (
          -- The site's own limits are the operator's business, and are not told.
          select m.i, jsonb_build_object('rates', jsonb_agg(
            budgets_balance_told(d, b, m.limit_amount)
            order by m.limit_amount - b.spent - b.held, b.id)) as told
          from unnest(v_moves) m
          join budgets_balance b on b.id = m.balance_id
          join budgets_budget d on d.id = b.budget_id
          where v_have_rates and m.unit in ('requests', 'tokens') and m.organization_id is not null
          group by m.i
        )
        select case
            when r.i is not null then (
              select b.told from balances b
              where b.balance_id = r.balance_id and b.limit_amount = r.limit_amount)
            when c.code in ('name_in_flight', 'name_done') then jsonb_build_object(
              'request_id', c.first_id,
              'charged_usd', (
                select sum(j.amount_usd)::text from budgets_journalentry j
                where j.organization_id = c.organization_id and j.request_id = c.first_id))
            else t.told
          end
        from unnest(v_callers) c left join refused r on r.i = c.i left join rates t on t.i = c.i
        order by c.i);
    end if;
    return query
    select 'hold', c.id,
      case when c.i = any(v_refused_i) then 'over_limit' else c.code end,
      case c.code when 'duplicate_open'
        then (select x.amount_usd from budgets_hold x where x.request_id = c.id) else c.usd end,
      v_told[c.i]
    from unnest(v_callers) c
    order by c.i;
  end if;

  if cardinality(v_endings) = 0 then
    return;
  end if;
  return query
  with done as (
    select 'settled' as code, id, amount_usd, balance_ids from unnest(v_settled)
    union all select 'corrected', id, amount_usd, balance_ids from unnest(v_late)
  ), tightest as materialized (
    select done.*, b.id as balance_id
    from done left join lateral (
      select b.id from budgets_balance b
      where b.id = any(done.balance_ids) and b.unit = 'usd' and b.blocks
        and b.organization_id is not null
      order by b.limit_amount - b.spent - b.held, b.id limit 1) b on true
  ), balances as materialized (
    select b.id, budgets_balance_told(d, b, b.limit_amount) as told
    from budgets_balance b join budgets_budget d on d.id = b.budget_id
    where b.id = any(array(select balance_id from tightest))
  )
  select 'settle', t.id, t.code, t.amount_usd, b.told
  from tightest t left join balances b on b.id = t.balance_id;

  if cardinality(v_settled) + cardinality(v_late) < cardinality(v_endings) then
    return query
    select 'settle', s.id,
      case when exists (select from budgets_journalentry j
                        where j.organization_id = s.org and j.request_id = s.id)
        then 'already' else 'unknown' end,
      null::numeric, null::jsonb
    from unnest(v_endings) s
    where not exists (select from unnest(v_settled || v_late) done where done.id = s.id);
  end if;
end
$$;
