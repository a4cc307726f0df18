-- Two hours of some organizations, this one and the one before, and the hours around them in the
-- weeks before, by project, key and model. An hour is told by the week and its distance from now's.
select u.organization_id, s.project_id, s.api_key_id, s.model, w.week,
  floor(extract(epoch from u.starts_at - (a.hour - w.week * interval '168 hours')) / 3600)::integer,
  sum(u.cost_usd), sum(u.calls)::bigint, sum(u.input_tokens)::bigint,
  sum(u.cached_input_tokens)::bigint, sum(u.output_tokens)::bigint,
  sum(u.reasoning_tokens)::bigint, sum(u.cache_write_tokens)::bigint, sum(u.attempts)::bigint,
  sum(u.failed_calls)::bigint
from json_to_recordset(%(asked)s::json) as a(organization bigint, hour timestamptz)
cross join generate_series(0, %(weeks)s::integer) as w(week)
join tracking_quarterhourusage u on u.organization_id = a.organization
  and u.starts_at >= a.hour - w.week * interval '168 hours'
    - case when w.week = 0 then interval '1 hour' else interval '2 hours' end
  and u.starts_at < a.hour - w.week * interval '168 hours'
    + case when w.week = 0 then interval '1 hour' else interval '2 hours' end
join tracking_series s on s.id = u.series_id
group by 1, 2, 3, 4, 5, 6
order by 1, 5, 6
