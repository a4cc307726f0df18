-- Add to the rollups what the ledger's next entries and records change, and move their position:
-- one statement, so that figures and position are never apart.
with delta as materialized (
  select * from tracking_usage_delta(
    null, '-infinity', 'infinity', %(after_entry)s, %(until_entry)s, %(after_record)s,
    %(until_record)s)
), combinations as materialized (
  select distinct organization_id, api_key_id, model, provider, endpoint, user_id, project_id
  from delta
), added as (
  insert into tracking_series (
    organization_id, api_key_id, model, provider, endpoint, user_id, project_id)
  select c.* from combinations c
  where not exists (
    select from tracking_series s
    where s.organization_id = c.organization_id and s.api_key_id = c.api_key_id
      and s.model = c.model and s.provider = c.provider and s.endpoint = c.endpoint
      and s.user_id = c.user_id and s.project_id = c.project_id)
  returning *
), series as materialized (
  select s.* from tracking_series s
  join combinations c on s.organization_id = c.organization_id and s.api_key_id = c.api_key_id
    and s.model = c.model and s.provider = c.provider and s.endpoint = c.endpoint
    and s.user_id = c.user_id and s.project_id = c.project_id
  union all select * from added
), facts as materialized (
  select s.organization_id, s.id as series_id,
    date_bin('15 minutes', d.admitted_at, 'epoch') as starts_at, d.kind, d.label,
    sum(d.calls) as calls, sum(d.cost_usd) as cost_usd, sum(d.input_tokens) as input_tokens,
    sum(d.cached_input_tokens) as cached_input_tokens,
    sum(d.cache_write_tokens) as cache_write_tokens, sum(d.output_tokens) as output_tokens,
    sum(d.reasoning_tokens) as reasoning_tokens, sum(d.attempts) as attempts,
    sum(d.failed_calls) as failed_calls
  from delta d
  join series s on s.organization_id = d.organization_id and s.api_key_id = d.api_key_id
    and s.model = d.model and s.provider = d.provider and s.endpoint = d.endpoint
    and s.user_id = d.user_id and s.project_id = d.project_id
  group by 1, 2, 3, 4, 5
), by_day as materialized (
  select f.organization_id, f.series_id, (f.starts_at at time zone z.time_zone)::date as day,
    f.kind, f.label, sum(f.calls) as calls, sum(f.cost_usd) as cost_usd,
    sum(f.input_tokens) as input_tokens, sum(f.cached_input_tokens) as cached_input_tokens,
    sum(f.cache_write_tokens) as cache_write_tokens, sum(f.output_tokens) as output_tokens,
    sum(f.reasoning_tokens) as reasoning_tokens, sum(f.attempts) as attempts,
    sum(f.failed_calls) as failed_calls
  from facts f join tracking_usagezone z on z.organization_id = f.organization_id
  group by 1, 2, 3, 4, 5
), quarters as (
  insert into tracking_quarterhourusage as u (
    organization_id, series_id, starts_at, calls, cost_usd, input_tokens, cached_input_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, attempts, failed_calls)
  select organization_id, series_id, starts_at, calls, cost_usd, input_tokens,
    cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, attempts,
    failed_calls
  from facts where kind = ''
  order by organization_id, starts_at, series_id
  on conflict (organization_id, starts_at, series_id) do update set
    calls = u.calls + excluded.calls, cost_usd = u.cost_usd + excluded.cost_usd,
    input_tokens = u.input_tokens + excluded.input_tokens,
    cached_input_tokens = u.cached_input_tokens + excluded.cached_input_tokens,
    cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
    output_tokens = u.output_tokens + excluded.output_tokens,
    reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
    attempts = u.attempts + excluded.attempts,
    failed_calls = u.failed_calls + excluded.failed_calls
), days as (
  insert into tracking_dayusage as u (
    organization_id, series_id, day, calls, cost_usd, input_tokens, cached_input_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, attempts, failed_calls)
  select organization_id, series_id, day, calls, cost_usd, input_tokens,
    cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, attempts,
    failed_calls
  from by_day where kind = ''
  order by organization_id, day, series_id
  on conflict (organization_id, day, series_id) do update set
    calls = u.calls + excluded.calls, cost_usd = u.cost_usd + excluded.cost_usd,
    input_tokens = u.input_tokens + excluded.input_tokens,
    cached_input_tokens = u.cached_input_tokens + excluded.cached_input_tokens,
    cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
    output_tokens = u.output_tokens + excluded.output_tokens,
    reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
    attempts = u.attempts + excluded.attempts,
    failed_calls = u.failed_calls + excluded.failed_calls
), labels as (
  insert into tracking_labelusage as u (
    organization_id, series_id, day, kind, label, calls, cost_usd, input_tokens,
    cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, attempts,
    failed_calls)
  select organization_id, series_id, day, kind, label, calls, cost_usd, input_tokens,
    cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, attempts,
    failed_calls
  from by_day where kind <> ''
  order by organization_id, kind, day, label, series_id
  on conflict (organization_id, kind, day, label, series_id) do update set
    calls = u.calls + excluded.calls, cost_usd = u.cost_usd + excluded.cost_usd,
    input_tokens = u.input_tokens + excluded.input_tokens,
    cached_input_tokens = u.cached_input_tokens + excluded.cached_input_tokens,
    cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
    output_tokens = u.output_tokens + excluded.output_tokens,
    reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
    attempts = u.attempts + excluded.attempts,
    failed_calls = u.failed_calls + excluded.failed_calls
)
update tracking_fillstate
set entry_id = %(until_entry)s, record_id = %(until_record)s, filled_at = %(now)s
