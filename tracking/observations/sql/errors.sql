-- How many calls of the last hour there were and how many of them failed: of each organization, and
-- of its projects, users, keys and models. From the rollups, by whole quarters of an hour.
select u.organization_id,
  case grouping(s.project_id, s.user_id, s.api_key_id, s.model)
    when 15 then 'organization' when 7 then 'project' when 11 then 'user' when 13 then 'api_key'
    else 'model' end,
  coalesce(s.project_id::text, s.user_id::text, s.api_key_id::text, s.model, ''),
  sum(u.calls)::bigint, sum(u.failed_calls)::bigint
from tracking_quarterhourusage u
join tracking_series s on s.id = u.series_id
where u.organization_id = any(%(organizations)s) and u.starts_at >= %(since)s
group by u.organization_id, grouping sets (
  (), (s.project_id), (s.user_id), (s.api_key_id), (s.model))
having sum(u.calls) >= %(least_calls)s
order by 1, 2, 3
