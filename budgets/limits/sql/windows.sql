-- When the window of a kind that holds p_now began, in a time zone; of the last days: today.
-- The twin of budgets/limits/periods.py; a test compares them over many zones and years.
create or replace function budgets_window_start(p_window text, p_zone text, p_now timestamptz)
returns timestamptz language sql stable parallel safe as $$
  select case p_window
    when 'total' then timestamptz '2000-01-01 00:00:00+00'
    when 'minute' then date_trunc('minute', p_now, 'UTC')
    when 'rolling' then date_trunc('day', p_now, p_zone)
    else date_trunc(p_window, p_now, p_zone)
  end
$$;

-- When the first of the last p_days days began, today included.
create or replace function budgets_first_day(p_days integer, p_zone text, p_now timestamptz)
returns timestamptz language sql stable parallel safe as $$
  select (date_trunc('day', p_now at time zone p_zone) - make_interval(days => p_days - 1))
    at time zone p_zone
$$;

-- Whether a model's name matches a pattern in which * stands for any run of characters.
create or replace function budgets_matches(p_pattern text, p_model text)
returns boolean language sql immutable parallel safe as $$
  select p_model like
    replace(replace(replace(replace(p_pattern, '\', '\\'), '_', '\_'), '%', '\%'), '*', '%')
$$;

-- Whether a list of patterns lets a model through; an empty list lets every model through.
create or replace function budgets_allows(p_patterns text[], p_model text)
returns boolean language sql immutable parallel safe as $$
  select cardinality(p_patterns) = 0
    or exists (select from unnest(p_patterns) pattern where budgets_matches(pattern, p_model))
$$;

-- Every budget that a call falls under, once for each subject whose balance it touches.
-- A member's own plan replaces what the organization's plan allows each user. The balances of the
-- site's own budgets belong to no organization.
create or replace function budgets_applying(
  p_organization bigint, p_plan bigint, p_user_plan bigint, p_project bigint, p_user bigint,
  p_api_key bigint, p_model text, p_tags text[], p_session text)
returns table (
  budget_id bigint, organization_id bigint, subject text, unit text, window_kind text,
  rolling_days smallint, rank smallint, blocks boolean, limit_amount numeric,
  raised_until timestamptz)
language sql stable rows 8 as $$
  select b.id,
    case when b.organization_id is null and b.plan_id is null then null else p_organization end,
    s.subject, b.unit, b."window", b.rolling_days,
    (case
      when b.organization_id is null and b.plan_id is null then 0
      when 'session' = b.each then 5
      when 'api_key' in (b.scope, b.each) then 4
      when 'user' in (b.scope, b.each) then 3
      when b.scope <> 'organization' or b.each <> '' then 2
      else 1
    end)::smallint,
    b.enforcement = 'block', b.limit_amount, b.raised_until
  from (
    -- The offset is a fence: without it, the planner of a tenant with thousands of budgets
    -- reads them all at every call instead of probing the index once a scope.
    select own.*
    from (
      select 'organization' as scope, '' as target
      union all select 'project', p_project::text
      union all select 'user', p_user::text
      union all select 'api_key', p_api_key::text
      union all select 'tag', tag from unnest(p_tags) tag
    ) probe
    cross join lateral (
      select * from budgets_budget x
      where x.active and x.organization_id = p_organization
        and x.scope = probe.scope and x.target = probe.target
      offset 0
    ) own
    union all
    select * from budgets_budget x where x.active and x.plan_id = p_plan and x.each <> 'user'
    union all
    select * from budgets_budget x where x.active and x.plan_id = p_user_plan and x.each = 'user'
    union all
    select * from budgets_budget x
    where x.active and x.plan_id is null and x.organization_id is null
  ) b
  cross join lateral unnest(case b.each
    when '' then array['']
    when 'user' then array[p_user::text]
    when 'project' then array[p_project::text]
    when 'api_key' then array[p_api_key::text]
    when 'model' then array[p_model]
    when 'tag' then p_tags
    when 'organization' then array[p_organization::text]
    when 'session' then case p_session when '' then '{}'::text[] else array[p_session] end
  end) s(subject)
  where b.model_pattern = '' or budgets_matches(b.model_pattern, p_model)
$$;

-- What a balance may hold and spend now: the limit, with the raises that are in force, less what
-- the other days have used where the last days count together. A step that began before midnight
-- counts what was held after it, too. Days of a time zone that was changed do not count: those of
-- the new one were counted again.
create or replace function budgets_limit_now(
  p_budget bigint, p_limit numeric, p_raised_until timestamptz, p_window text,
  p_rolling_days smallint, p_organization bigint, p_caller_organization bigint, p_subject text,
  p_zone text, p_now timestamptz)
returns numeric language sql stable as $$
  select greatest(0, p_limit
    + case when p_raised_until > p_now then (
        select coalesce(sum(r.amount), 0) from budgets_limitraise r
        where r.budget_id = p_budget and r.starts_at <= p_now and r.ends_at > p_now
          and (r.organization_id is null or r.organization_id = p_caller_organization)
          and r.subject in ('', p_subject))
      else 0 end
    - case when p_window = 'rolling' then (
        select coalesce(sum(b.spent + b.held), 0) from budgets_balance b
        where b.budget_id = p_budget and b.subject = p_subject
          and b.organization_id is not distinct from p_organization
          and b.window_start >= budgets_first_day(p_rolling_days, p_zone, p_now)
          and b.window_start <> budgets_window_start('day', p_zone, p_now)
          and b.window_start = budgets_window_start('day', p_zone, b.window_start))
      else 0 end)
$$;
