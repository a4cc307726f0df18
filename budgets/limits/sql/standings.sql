-- Where a caller stands: every active budget that can apply to them, with its balance in the
-- window that holds now. A budget for each model, tag or session is told for those that were used.
-- project, user_id and api_key may be null: then only what applies without them is told.
-- The site's own budgets are the operator's business, and are not told.
with caller as (
  select o.id as organization_id, o.time_zone, o.plan_id, coalesce(m.plan_id, o.plan_id) as user_plan_id
  from budgets_organization o
  left join budgets_membership m on m.organization_id = o.id and m.user_id = %(user_id)s::bigint
  where o.id = %(organization)s
), applying as (
  select d.*, c.time_zone from caller c join budgets_budget d on d.active and (
    (d.organization_id = c.organization_id and (
      d.scope = 'organization'
      or (d.scope = 'project' and d.target = %(project)s::bigint::text)
      or (d.scope = 'user' and d.target = %(user_id)s::bigint::text)
      or (d.scope = 'api_key' and d.target = %(api_key)s::bigint::text)))
    or (d.plan_id = c.plan_id and d.each <> 'user')
    or (d.plan_id = c.user_plan_id and d.each = 'user'))
), subjects as (
  select a.*, budgets_window_start(a."window", a.time_zone, %(now)s) as window_start,
    case a.each
      when '' then ''
      when 'user' then %(user_id)s::bigint::text
      when 'project' then %(project)s::bigint::text
      when 'api_key' then %(api_key)s::bigint::text
    end as own_subject
  from applying a
), told as (
  select s.*, coalesce(b.subject, s.own_subject) as subject, b.id as balance_id,
    coalesce(b.spent, 0) as balance_spent, coalesce(b.held, 0) as balance_held,
    budgets_limit_now(
      s.id, s.limit_amount, s.raised_until, s."window", s.rolling_days, %(organization)s,
      %(organization)s, coalesce(b.subject, s.own_subject), s.time_zone, %(now)s) as limit_now
  from subjects s
  left join budgets_balance b on b.organization_id = %(organization)s and b.budget_id = s.id
    and b.window_start = s.window_start
    and (b.subject = s.own_subject or s.each in ('model', 'tag', 'session'))
)
select t.id, t.name, t.unit, t.scope, t.each, t.subject, t.model_pattern, t."window",
  t.window_start, t.enforcement = 'block' as blocks,
  case t."window" when 'rolling' then greatest(t.limit_amount, t.limit_now) else t.limit_now end,
  t.balance_spent + case t."window" when 'rolling'
    then greatest(t.limit_amount - t.limit_now, 0) else 0 end,
  t.balance_held, t.thresholds
from told t
where t.own_subject is not null or t.balance_id is not null
order by t.unit <> 'usd', t.limit_now - t.balance_spent - t.balance_held, t.id, 6
