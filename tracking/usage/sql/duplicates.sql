-- Prompts that were sent more than once in a period and paid for each time: what all but the first
-- call of each cost, the dearest first, with the sums over all of them.
with asked as (
  select j.request_id, j.admitted_at, j.id, j.model, r.prompt_hash, c.cost_usd
  from budgets_journalentry j
  cross join lateral (
    select x.prompt_hash, x.provider, x.endpoint, x.end_user
    from tracking_costrecord x
    where x.organization_id = j.organization_id and x.request_id = j.request_id
      and x.prompt_hash is not null
    order by x.attempt desc limit 1) r
  cross join lateral (
    select sum(k.amount_usd) as cost_usd from budgets_journalentry k
    where k.organization_id = j.organization_id and k.request_id = j.request_id) c
  where j.organization_id = %(organization)s and j.seq = 0 and c.cost_usd > 0
    and j.admitted_at >= %(starts_at)s and j.admitted_at < %(ends_at)s
    and (%(user_id)s::bigint is null or j.user_id = %(user_id)s::bigint)
    and (%(project)s::bigint is null or j.project_id = %(project)s::bigint)
    and (%(api_key)s::bigint is null or j.api_key_id = %(api_key)s::bigint)
    and (%(model)s::text is null or j.model = %(model)s::text)
    and (%(tag)s::text is null or %(tag)s::text = any(j.tags))
    and (%(session)s::text is null or j.session = %(session)s::text)
    and (%(provider)s::text is null or r.provider = %(provider)s::text)
    and (%(endpoint)s::text is null or r.endpoint = %(endpoint)s::text)
    and (%(end_user)s::text is null or r.end_user = %(end_user)s::text)
    and (%(viewer_id)s::bigint is null or j.user_id = %(viewer_id)s::bigint
      or j.project_id = any(%(led_projects)s::bigint[]))
), numbered as (
  select a.*, row_number() over (partition by prompt_hash, model order by admitted_at, id) as turn
  from asked a
), repeated as (
  select prompt_hash, model, count(*) as calls, sum(cost_usd) filter (where turn > 1) as wasted_usd
  from numbered group by 1, 2 having count(*) > 1
)
select prompt_hash, model, calls, wasted_usd, sum(calls - 1) over ()::bigint,
  sum(wasted_usd) over ()
from repeated
order by wasted_usd desc, prompt_hash, model
limit %(most)s
