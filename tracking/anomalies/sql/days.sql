-- The days of some organizations, by project, key and model; each has a today of its own.
select u.organization_id, s.project_id, s.api_key_id, s.model, u.day,
  sum(u.cost_usd), sum(u.calls)::bigint, sum(u.input_tokens)::bigint,
  sum(u.cached_input_tokens)::bigint, sum(u.output_tokens)::bigint,
  sum(u.reasoning_tokens)::bigint, sum(u.cache_write_tokens)::bigint, sum(u.attempts)::bigint,
  sum(u.failed_calls)::bigint
from json_to_recordset(%(asked)s::json) as a(organization bigint, today date)
join tracking_dayusage u on u.organization_id = a.organization
  and u.day >= a.today - %(days)s::integer and u.day <= a.today
join tracking_series s on s.id = u.series_id
group by 1, 2, 3, 4, 5
order by 1, 5
