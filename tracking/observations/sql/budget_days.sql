-- What each day of some balances cost, of the days before today: all calls that count in them. Only tags
-- and sessions are not in the days' rollups; theirs stand in the labels'.
with asked as (
  select * from json_to_recordset(%(asked)s::json) as a(
    n integer, organization bigint, today date, scope text, target text, each text, subject text,
    model_pattern text, label_kind text, label text)
), held as (
  select a.n, u.day, u.series_id, u.cost_usd
  from asked a
  join tracking_dayusage u on u.organization_id = a.organization
    and u.day >= a.today - %(days)s::integer and u.day < a.today
  where a.label_kind = ''
  union all
  select a.n, u.day, u.series_id, u.cost_usd
  from asked a
  join tracking_labelusage u on u.organization_id = a.organization and u.kind = a.label_kind
    and u.label = a.label and u.day >= a.today - %(days)s::integer and u.day < a.today
  where a.label_kind <> ''
)
select h.n, h.day, sum(h.cost_usd)
from held h
join asked a on a.n = h.n
join tracking_series s on s.id = h.series_id
where case a.scope
    when 'project' then s.project_id::text = a.target
    when 'user' then s.user_id::text = a.target
    when 'api_key' then s.api_key_id::text = a.target
    else true end
  and case a.each
    when 'project' then s.project_id::text = a.subject
    when 'user' then s.user_id::text = a.subject
    when 'api_key' then s.api_key_id::text = a.subject
    when 'model' then s.model = a.subject
    else true end
  and (a.model_pattern = '' or budgets_matches(a.model_pattern, s.model))
group by 1, 2
order by 1, 2
