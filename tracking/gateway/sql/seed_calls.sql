-- Some calls of one demo tenant on one of its days: drawn, then written to journal and records as a
-- step would have written them. The arrays say which keys call which models at which rates; chance is
-- the session's, seeded before. Gives what was booked.
with drawn as materialized (
  select n, %(day_starts_at)s::timestamptz + make_interval(
      secs => (width_bucket(random(), %(hour_bounds)s::float8[]) + random()) * %(hour_s)s) as at,
    width_bucket(random(), %(key_bounds)s::float8[]) + 1 as key_at,
    width_bucket(random(), '{0.62,0.86,0.95}'::float8[]) as model_at,
    (random() + random() + random() - 1.5) * 2 as long_in,
    (random() + random() + random() - 1.5) * 2 as long_out,
    random() as cached, random() as ending, random() as again, random() as whose, random() as kept,
    random() as given_back, random() as speed
  from generate_series(1, %(calls)s) n
), chosen as materialized (
  select d.*, (%(keys)s::bigint[])[key_at] as api_key_id,
    (%(users)s::bigint[])[key_at] as user_id, (%(projects)s::bigint[])[key_at] as project_id,
    (%(tags)s::text[])[key_at] as tag,
    (key_at * 5 + model_at * 3) %% cardinality(%(models)s::text[]) + 1 as m
  from drawn d
), measured as materialized (
  select c.*,
    greatest(20, (%(inputs)s::integer[])[m] * exp(long_in))::bigint as input_tokens,
    greatest(1, (%(outputs)s::integer[])[m] * exp(long_out))::bigint as output_tokens,
    case when ending < 0.965 then 'completed' when ending < 0.978 then 'cancelled'
      when ending < 0.986 then 'failed' when ending < 0.994 then 'interrupted'
      else 'unknown' end as outcome,
    300 + (4000 * speed * speed)::integer + ((%(outputs)s::integer[])[m] * 8) as duration_ms
  from chosen c
), priced as materialized (
  select p.*,
    input_tokens - cached_tokens as fresh_tokens,
    (input_tokens - cached_tokens) * (%(input_usd)s::numeric[])[m] as fresh_usd,
    cached_tokens * (%(cached_usd)s::numeric[])[m] as cached_usd,
    output_tokens * (%(output_usd)s::numeric[])[m] as output_usd,
    -- Of some calls the first attempt failed, and was billed for its input.
    case when outcome <> 'failed' and again < 0.004
      then input_tokens * (%(input_usd)s::numeric[])[m] else 0 end as earlier_usd
  from (
    select m.*, case when cached < 0.45 then (input_tokens * cached * 1.6)::bigint else 0 end
        as cached_tokens,
      (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || '7'
        || substr(md5(random()::text || n), 1, 3) || 'a' || substr(md5(n || random()::text), 1, 15)
      )::uuid as request_id
    from measured m where at < %(now)s
  ) p
), calls as materialized (
  select p.*,
    (case when outcome = 'failed' then 0 else fresh_usd + cached_usd + output_usd end
      )::numeric(24, 12) as cost_usd,
    case outcome when 'failed' then 'release' when 'unknown' then 'estimate' else 'charge' end as kind,
    case when whose < 0.25 and key_at %% 3 = 0
      then 'run-' || %(day)s || '-' || (whose * 400)::integer else '' end as session,
    case when key_at %% 3 = 1 then 'user-' || (whose * whose * 900)::integer else '' end as end_user
  from priced p
), booked as (
  insert into budgets_journalentry (
    organization_id, request_id, seq, kind, amount_usd, held_usd, tokens, api_key_id, project_id,
    user_id, model, tags, session, balance_ids, admitted_at, booked_at, reason)
  select %(organization)s, c.request_id, e.seq, e.kind, e.amount_usd, e.held_usd, e.tokens,
    c.api_key_id, c.project_id, c.user_id, (%(models)s::text[])[c.m], array[c.tag, 'env:prod'],
    c.session, array[%(balance)s::bigint], c.at,
    least(c.at + make_interval(secs => c.duration_ms / 1000.0) * (1 + e.seq * 40), %(now)s), e.reason
  from calls c
  cross join lateral (
    select 0 as seq, c.kind as kind, c.cost_usd + c.earlier_usd as amount_usd,
      ((c.cost_usd + c.earlier_usd) * 3 + 0.002)::numeric(24, 12) as held_usd,
      c.input_tokens + c.output_tokens as tokens, '' as reason
    union all
    select 2, 'refund', -round(c.cost_usd / 2, 12), 0, 0, 'Goodwill'
    where c.given_back < 0.0004 and c.kind = 'charge') e
  order by c.at, e.seq
  returning amount_usd
), recorded as (
  insert into tracking_costrecord (
    organization_id, request_id, attempt, endpoint, provider, asked_model, model, price_id, outcome,
    usage_source, status, error_code, is_streamed, input_tokens, cached_input_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, lines, cost_usd, saved_usd,
    output_cap_tokens, is_fitted, finish_reason, provider_request_id, end_user, session, tags,
    metadata, started_at, first_byte_ms, duration_ms, prompt_hash)
  select %(organization)s, request_id, attempt, 'chat.completions', (%(providers)s::text[])[m],
    (%(models)s::text[])[m], (%(models)s::text[])[m], (%(prices)s::bigint[])[m],
    case when is_earlier then 'interrupted' else outcome end,
    case when outcome = 'unknown' and not is_earlier then 'assumed'
      when outcome = 'failed' then 'none' else 'provider' end,
    case when is_earlier or outcome in ('failed', 'interrupted') then 502
      when outcome = 'unknown' then 504 else 200 end,
    case when is_earlier or outcome not in ('completed', 'cancelled') then 'provider_error' else ''
      end,
    speed < 0.4,
    case when outcome = 'failed' then 0 else input_tokens end,
    case when outcome = 'failed' or is_earlier then 0 else cached_tokens end, 0,
    case when outcome = 'failed' or is_earlier then 0 else output_tokens end, 0,
    case
      when outcome = 'failed' then '[]'::jsonb
      when is_earlier then jsonb_build_array(jsonb_build_object(
        'dimension', 'input', 'units', input_tokens,
        'rate_usd', (%(input_usd)s::numeric[])[m]::text, 'amount_usd', earlier_usd::text))
      when outcome = 'unknown' then '[]'::jsonb
      else jsonb_build_array(
        jsonb_build_object('dimension', 'input', 'units', fresh_tokens,
          'rate_usd', (%(input_usd)s::numeric[])[m]::text, 'amount_usd', fresh_usd::text),
        jsonb_build_object('dimension', 'cached_input', 'units', cached_tokens,
          'rate_usd', (%(cached_usd)s::numeric[])[m]::text, 'amount_usd', cached_usd::text),
        jsonb_build_object('dimension', 'output', 'units', output_tokens,
          'rate_usd', (%(output_usd)s::numeric[])[m]::text, 'amount_usd', output_usd::text))
    end,
    case when is_earlier then earlier_usd else cost_usd end, 0, 4096, false,
    case when is_earlier or outcome <> 'completed' then ''
      when kept < 0.015 then 'length' else 'stop' end,
    '', end_user, session, array[tag, 'env:prod'], '{}', at, duration_ms / 5, duration_ms,
    case when kept > 0.97 then md5('asked often ' || (kept * 20000)::integer || m)::uuid end
  from calls c
  cross join lateral (
    select true as is_earlier, 1 as attempt where earlier_usd > 0
    union all select false, case when earlier_usd > 0 then 2 else 1 end) attempts
  order by at, attempt
)
select count(*), coalesce(sum(amount_usd), 0) from booked
