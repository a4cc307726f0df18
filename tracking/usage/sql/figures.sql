-- What the calls of a slice add up to, by one of their properties and by day or hour, or neither.
--
-- Two parts that meet without overlap: what the rollups hold (source names which of them; 'ledger'
-- none, then the position is nothing), and what the ledger changed since their position.
with held as (
  select u.series_id, case %(each)s when 'day' then u.day::timestamp at time zone 'UTC' end as bucket,
    '' as label, u.calls, u.cost_usd, u.input_tokens, u.cached_input_tokens, u.cache_write_tokens,
    u.output_tokens, u.reasoning_tokens, u.attempts, u.failed_calls
  from tracking_dayusage u
  where %(source)s = 'days' and u.organization_id = %(organization)s
    and u.day >= %(first_on)s::date and u.day <= %(last_on)s::date
  union all
  select u.series_id, case %(each)s when 'day' then u.day::timestamp at time zone 'UTC' end,
    u.label, u.calls, u.cost_usd, u.input_tokens, u.cached_input_tokens, u.cache_write_tokens,
    u.output_tokens, u.reasoning_tokens, u.attempts, u.failed_calls
  from tracking_labelusage u
  where %(source)s = 'labels' and u.organization_id = %(organization)s and u.kind = %(held_kind)s
    and (%(held_label)s::text is null or u.label = %(held_label)s::text)
    and u.day >= %(first_on)s::date and u.day <= %(last_on)s::date
  union all
  select u.series_id, case %(each)s
      when 'day' then
        date_trunc('day', u.starts_at at time zone %(zone)s) at time zone 'UTC'
      -- An hour of the zone's clock begins where its minutes are zero, as an instant of its own.
      when 'hour' then u.starts_at - make_interval(
        mins => extract(minute from u.starts_at at time zone %(zone)s)::integer) end,
    '', u.calls, u.cost_usd, u.input_tokens, u.cached_input_tokens, u.cache_write_tokens,
    u.output_tokens, u.reasoning_tokens, u.attempts, u.failed_calls
  from tracking_quarterhourusage u
  where %(source)s = 'quarters' and u.organization_id = %(organization)s
    and u.starts_at >= %(starts_at)s and u.starts_at < %(ends_at)s
), parts as (
  select h.bucket, s.project_id, s.user_id, s.api_key_id, s.model::text, s.provider::text,
    s.endpoint::text, h.label::text, h.calls, h.cost_usd, h.input_tokens, h.cached_input_tokens,
    h.cache_write_tokens, h.output_tokens, h.reasoning_tokens, h.attempts, h.failed_calls
  from held h join tracking_series s on s.id = h.series_id
  union all
  select case %(each)s
      when 'day' then
        date_trunc('day', d.admitted_at at time zone %(zone)s) at time zone 'UTC'
      when 'hour' then
        date_bin('15 minutes', d.admitted_at, 'epoch') - make_interval(mins => extract(
          minute from date_bin('15 minutes', d.admitted_at, 'epoch') at time zone %(zone)s
        )::integer) end,
    d.project_id, d.user_id, d.api_key_id, d.model, d.provider, d.endpoint, d.label, d.calls,
    d.cost_usd, d.input_tokens, d.cached_input_tokens, d.cache_write_tokens, d.output_tokens,
    d.reasoning_tokens, d.attempts, d.failed_calls
  from tracking_usage_delta(
    %(organization)s, %(starts_at)s, %(ends_at)s, %(entry_id)s, 9223372036854775807,
    %(record_id)s, 9223372036854775807) d
  where d.kind = %(kind)s
    and (%(tag)s::text is null or %(tag)s::text = any(d.tags))
    and (%(session)s::text is null or d.session = %(session)s::text)
    and (%(end_user)s::text is null or d.end_user = %(end_user)s::text)
)
select p.bucket, case %(by)s
    when 'model' then p.model
    when 'provider' then p.provider
    when 'endpoint' then p.endpoint
    when 'user' then p.user_id::text
    when 'project' then p.project_id::text
    when 'key' then p.api_key_id::text
    when '' then ''
    else p.label end as key,
  sum(p.cost_usd) as cost_usd, sum(p.calls)::bigint, sum(p.input_tokens)::bigint,
  sum(p.cached_input_tokens)::bigint, sum(p.output_tokens)::bigint,
  sum(p.reasoning_tokens)::bigint, sum(p.cache_write_tokens)::bigint, sum(p.attempts)::bigint,
  sum(p.failed_calls)::bigint
from parts p
where (%(user_id)s::bigint is null or p.user_id = %(user_id)s::bigint)
  and (%(project)s::bigint is null or p.project_id = %(project)s::bigint)
  and (%(api_key)s::bigint is null or p.api_key_id = %(api_key)s::bigint)
  and (%(model)s::text is null or p.model = %(model)s::text)
  and (%(provider)s::text is null or p.provider = %(provider)s::text)
  and (%(endpoint)s::text is null or p.endpoint = %(endpoint)s::text)
  and (%(viewer_id)s::bigint is null or p.user_id = %(viewer_id)s::bigint
    or p.project_id = any(%(led_projects)s::bigint[]))
group by 1, 2
-- What became of a call later may have moved it to another row, and leave nothing here.
having sum(p.calls) <> 0
order by p.bucket nulls first, cost_usd desc, key
