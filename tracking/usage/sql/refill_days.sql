-- Sum the days of an organization anew, after those of another time zone were deleted: days from
-- the quarters of an hour that they consist of, labels from the ledger.
with days as (
  insert into tracking_dayusage (
    organization_id, series_id, day, calls, cost_usd, input_tokens, cached_input_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, attempts, failed_calls)
  select organization_id, series_id, (starts_at at time zone %(zone)s)::date, sum(calls),
    sum(cost_usd), sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
    sum(output_tokens), sum(reasoning_tokens), sum(attempts), sum(failed_calls)
  from tracking_quarterhourusage
  where organization_id = %(organization)s
  group by 1, 2, 3
)
insert into tracking_labelusage (
  organization_id, series_id, day, kind, label, calls, cost_usd, input_tokens,
  cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, attempts,
  failed_calls)
select s.organization_id, s.id, (d.admitted_at at time zone %(zone)s)::date, d.kind, d.label,
  sum(d.calls), sum(d.cost_usd), sum(d.input_tokens), sum(d.cached_input_tokens),
  sum(d.cache_write_tokens), sum(d.output_tokens), sum(d.reasoning_tokens), sum(d.attempts),
  sum(d.failed_calls)
from tracking_usage_delta(
  %(organization)s, '-infinity', 'infinity', 0, %(entry_id)s, 0, %(record_id)s) d
join tracking_series s on s.organization_id = d.organization_id and s.api_key_id = d.api_key_id
  and s.model = d.model and s.provider = d.provider and s.endpoint = d.endpoint
  and s.user_id = d.user_id and s.project_id = d.project_id
where d.kind <> ''
group by 1, 2, 3, 4, 5
