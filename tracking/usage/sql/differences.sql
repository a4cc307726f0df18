-- Every rollup that is not what the ledger adds up to, as far as they are filled, with how far it is
-- off. No row means that all agree.
with state as (
  select entry_id, record_id from tracking_fillstate
), ledger as materialized (
  select d.organization_id, d.api_key_id, d.user_id, d.project_id, d.model, d.provider, d.endpoint,
    date_bin('15 minutes', d.admitted_at, 'epoch') as starts_at, d.kind, d.label,
    sum(d.calls) as calls, sum(d.cost_usd) as cost_usd, sum(d.input_tokens) as input_tokens,
    sum(d.cached_input_tokens) as cached_input_tokens,
    sum(d.cache_write_tokens) as cache_write_tokens, sum(d.output_tokens) as output_tokens,
    sum(d.reasoning_tokens) as reasoning_tokens, sum(d.attempts) as attempts,
    sum(d.failed_calls) as failed_calls
  from state cross join lateral tracking_usage_delta(
    null, '-infinity', 'infinity', 0, state.entry_id, 0, state.record_id) d
  group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
), signed as (
  select 'quarter of an hour' as span, organization_id, api_key_id, user_id, project_id, model,
    provider, endpoint, starts_at::text as since, kind, label, -calls as calls,
    -cost_usd as cost_usd, -input_tokens as input_tokens,
    -cached_input_tokens as cached_input_tokens, -cache_write_tokens as cache_write_tokens,
    -output_tokens as output_tokens, -reasoning_tokens as reasoning_tokens,
    -attempts as attempts, -failed_calls as failed_calls
  from ledger where kind = ''
  union all
  select case when l.kind = '' then 'day' else l.kind end, l.organization_id, l.api_key_id,
    l.user_id, l.project_id, l.model, l.provider, l.endpoint,
    (l.starts_at at time zone z.time_zone)::date::text, l.kind, l.label, -l.calls, -l.cost_usd,
    -l.input_tokens, -l.cached_input_tokens, -l.cache_write_tokens, -l.output_tokens,
    -l.reasoning_tokens, -l.attempts, -l.failed_calls
  from ledger l join tracking_usagezone z on z.organization_id = l.organization_id
  union all
  select 'quarter of an hour', s.organization_id, s.api_key_id, s.user_id, s.project_id, s.model,
    s.provider, s.endpoint, u.starts_at::text, '', '', u.calls, u.cost_usd, u.input_tokens,
    u.cached_input_tokens, u.cache_write_tokens, u.output_tokens, u.reasoning_tokens, u.attempts,
    u.failed_calls
  from tracking_quarterhourusage u join tracking_series s on s.id = u.series_id
  union all
  select 'day', s.organization_id, s.api_key_id, s.user_id, s.project_id, s.model, s.provider,
    s.endpoint, u.day::text, '', '', u.calls, u.cost_usd, u.input_tokens, u.cached_input_tokens,
    u.cache_write_tokens, u.output_tokens, u.reasoning_tokens, u.attempts, u.failed_calls
  from tracking_dayusage u join tracking_series s on s.id = u.series_id
  union all
  select u.kind, s.organization_id, s.api_key_id, s.user_id, s.project_id, s.model, s.provider,
    s.endpoint, u.day::text, u.kind, u.label, u.calls, u.cost_usd, u.input_tokens,
    u.cached_input_tokens, u.cache_write_tokens, u.output_tokens, u.reasoning_tokens, u.attempts,
    u.failed_calls
  from tracking_labelusage u join tracking_series s on s.id = u.series_id
)
select organization_id, span, since, label, model, sum(cost_usd), sum(calls)
from signed
group by span, organization_id, api_key_id, user_id, project_id, model, provider, endpoint, since,
  kind, label
having sum(cost_usd) <> 0 or sum(calls) <> 0 or sum(input_tokens) <> 0
  or sum(cached_input_tokens) <> 0 or sum(cache_write_tokens) <> 0 or sum(output_tokens) <> 0
  or sum(reasoning_tokens) <> 0 or sum(attempts) <> 0 or sum(failed_calls) <> 0
order by 1, 2, 3, 4, 5
limit 1000
