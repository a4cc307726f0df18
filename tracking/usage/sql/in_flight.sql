-- The calls of a slice that are under way, and what is held for them.
select count(*), coalesce(sum(amount_usd), 0)
from budgets_hold
where organization_id = %(organization)s
  and (%(user_id)s::bigint is null or user_id = %(user_id)s::bigint)
  and (%(project)s::bigint is null or project_id = %(project)s::bigint)
  and (%(api_key)s::bigint is null or api_key_id = %(api_key)s::bigint)
  and (%(model)s::text is null or model = %(model)s::text)
  and (%(tag)s::text is null or %(tag)s::text = any(tags))
  and (%(session)s::text is null or session = %(session)s::text)
  -- Who serves a call, and for which end user, stands in its record, once it is over.
  and (%(viewer_id)s::bigint is null or user_id = %(viewer_id)s::bigint
    or project_id = any(%(led_projects)s::bigint[]))
