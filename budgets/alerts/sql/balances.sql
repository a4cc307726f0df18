-- The balances of some organizations in the windows that hold now, with the limit that holds now.
-- Rate limits of a minute and calls in flight come and go too fast for anybody to be told.
-- Of a budget for each user on a plan only those count whose plan it is.
select l.organization_id, b.id, b.name, b.unit, b.scope, b.target, b.each, b.model_pattern,
  l.subject, b."window",
  l.window_start, b.thresholds, b.enforcement = 'block',
  case b."window" when 'rolling' then greatest(b.limit_amount, n.limit_now) else n.limit_now end,
  l.spent + case b."window" when 'rolling'
    then greatest(b.limit_amount - n.limit_now, 0) else 0 end
from budgets_organization o
join budgets_balance l on l.organization_id = o.id
join budgets_budget b on b.id = l.budget_id and b.active
  and b."window" <> 'minute' and b.unit <> 'in_flight'
  and l.window_start = budgets_window_start(b."window", o.time_zone, %(now)s)
left join budgets_membership m on b.plan_id is not null and b.each = 'user'
  and m.organization_id = o.id and m.user_id::text = l.subject
cross join lateral (select budgets_limit_now(
  b.id, b.limit_amount, b.raised_until, b."window", b.rolling_days, o.id, o.id, l.subject,
  o.time_zone, %(now)s) as limit_now) n
where o.id = any(%(organizations)s)
  and (b.plan_id is null or b.plan_id = coalesce(m.plan_id, o.plan_id))
order by l.organization_id, b.id, l.subject
