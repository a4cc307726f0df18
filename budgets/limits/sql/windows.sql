-- When the window of a kind that holds p_now began, in a time zone.
-- The twin of budgets/limits/periods.py; a test compares them over many zones and years.
create or replace function budgets_window_start(p_window text, p_zone text, p_now timestamptz)
returns timestamptz language sql stable parallel safe as $$
  select case p_window
    when 'total' then timestamptz '2000-01-01 00:00:00+00'
    when 'minute' then date_trunc('minute', p_now)
    else date_trunc(p_window, p_now, p_zone)
  end
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
-- A member's own plan replaces what the organization's plan allows each user.
create or replace function budgets_applying(
  p_organization bigint, p_plan bigint, p_user_plan bigint,
  p_project bigint, p_user bigint, p_api_key bigint, p_model text, p_tags text[])
returns table (
  budget_id bigint, subject text, unit text, window_kind text, rank smallint,
  blocks boolean, limit_amount numeric, version integer)
language sql stable rows 8 as $$
  select b.id, s.subject, b.unit, b."window",
    (case
      when 'api_key' in (b.scope, b.each) then 4
      when 'user' in (b.scope, b.each) then 3
      when b.scope <> 'organization' or b.each <> '' then 2
      else 1
    end)::smallint,
    b.enforcement = 'block', b.limit_amount, b.version
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
  ) b
  cross join lateral unnest(case b.each
    when '' then array['']
    when 'user' then array[p_user::text]
    when 'project' then array[p_project::text]
    when 'api_key' then array[p_api_key::text]
    when 'model' then array[p_model]
    when 'tag' then p_tags
  end) s(subject)
  where b.model_pattern = '' or budgets_matches(b.model_pattern, p_model)
$$;

-- A change of what a budget enforces raises its version, whoever makes it; the next hold then
-- carries the change over to the balance.
create or replace function budgets_budget_changed() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  return new;
end
$$;

create or replace trigger budget_changed
before update of limit_amount, enforcement on budgets_budget
for each row when (old.limit_amount <> new.limit_amount or old.enforcement <> new.enforcement)
execute function budgets_budget_changed();
