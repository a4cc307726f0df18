-- The refused calls of some organizations since an instant, by key, model and reason.
select r.organization_id, k.project_id, k.user_id, k.id, r.model, r.code, sum(r.calls)::bigint
from tracking_refusedcalls r
join budgets_apikey k on k.id = r.api_key_id and k.organization_id = r.organization_id
where r.organization_id = any(%(organizations)s) and r.starts_at >= %(since)s
  and (%(code)s::text is null or r.code = %(code)s::text)
group by 1, 2, 3, 4, 5, 6
order by 1, 4, 5, 6
