-- What was booked for the calls of a slice beside their charges, by kind: corrections, refunds, credits.
-- There are few of them, and they have an index of their own.
select j.kind, count(*)::bigint, sum(j.amount_usd)
from budgets_journalentry j
where j.organization_id = %(organization)s and j.seq > 0
  and j.admitted_at >= %(starts_at)s and j.admitted_at < %(ends_at)s
  and (%(project)s::bigint is null or j.project_id = %(project)s::bigint)
  and (%(viewer_id)s::bigint is null or j.user_id = %(viewer_id)s::bigint
    or j.project_id = any(%(led_projects)s::bigint[]))
group by j.kind
order by j.kind
