-- What answers from the cache saved: the calls of a slice in a period that were answered so. They are
-- few beside all calls, and have an index of their own.
select count(*), coalesce(sum(r.saved_usd), 0)
from tracking_costrecord r
join budgets_journalentry j
  on j.organization_id = r.organization_id and j.request_id = r.request_id and j.seq = 0
where r.organization_id = %(organization)s and r.saved_usd > 0
  and r.started_at >= %(starts_at)s and r.started_at < %(ends_at)s
  and (%(user_id)s::bigint is null or j.user_id = %(user_id)s::bigint)
  and (%(project)s::bigint is null or j.project_id = %(project)s::bigint)
  and (%(api_key)s::bigint is null or j.api_key_id = %(api_key)s::bigint)
  and (%(model)s::text is null or r.model = %(model)s::text)
  and (%(provider)s::text is null or r.provider = %(provider)s::text)
  and (%(endpoint)s::text is null or r.endpoint = %(endpoint)s::text)
  and (%(tag)s::text is null or %(tag)s::text = any(r.tags))
  and (%(session)s::text is null or r.session = %(session)s::text)
  and (%(end_user)s::text is null or r.end_user = %(end_user)s::text)
  and (%(viewer_id)s::bigint is null or j.user_id = %(viewer_id)s::bigint
    or j.project_id = any(%(led_projects)s::bigint[]))
