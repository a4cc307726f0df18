-- The calls of a slice that are under way, and what is held for them.
select count(*), coalesce(sum(amount_usd), 0)
from budgets_hold
where organization_id = %(organization)s
  and (%(user_id)s::bigint is null or user_id = %(user_id)s::bigint)
  and (%(project)s::bigint is null or project_id = %(project)s::bigint)
  and (%(api_key)s::bigint is null or api_key_id = %(api_key)s::bigint)
  and (%(model)s::text is null or model = %(model)s::text)
