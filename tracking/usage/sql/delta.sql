-- As what a call was wasted, by how its last attempt ended; null if it was not. An attempt that nobody
-- recorded was charged without an answer that anybody knows of.
create or replace function tracking_wasted_as(p_outcome text, p_finish_reason text)
returns text language sql immutable as $$
  select case
    when p_outcome = 'cancelled' then 'aborted'
    when p_outcome in ('interrupted', 'failed', 'unknown', '') then 'failed'
    when p_finish_reason = 'length' then 'truncated' end
$$;

-- By what the figures of calls changed between two positions of the ledger.
--
-- A position is a pair of the last journal entry and the last cost record that count. For each call
-- that got an entry or a record in between there is a row with what it is now, and, if it was there
-- before, a row with minus what it was then. So nothing about a call has to be additive: who served
-- it last, or whether it was wasted, may change with any later record.
--
-- Everything that is asked about past use is one of these sums: from nothing to here (the ledger
-- itself, and what rollups are proved against), from what the rollups hold to what they hold next,
-- and from what they hold to this instant.
--
-- Rows of kind '' are the calls; beside them each call has a row for each of its labels.
create or replace function tracking_usage_delta(
  p_organization bigint, p_starts_at timestamptz, p_ends_at timestamptz,
  p_after_entry bigint, p_until_entry bigint, p_after_record bigint, p_until_record bigint)
returns table (
  organization_id bigint, admitted_at timestamptz, project_id bigint, user_id bigint,
  api_key_id bigint, model text, provider text, endpoint text, tags text[], session text,
  end_user text, kind text, label text, calls bigint, cost_usd numeric, input_tokens bigint,
  cached_input_tokens bigint, cache_write_tokens bigint, output_tokens bigint,
  reasoning_tokens bigint, attempts bigint, failed_calls bigint)
language sql stable as $$
  with touched as (
    select x.organization_id, x.request_id, bool_or(x.is_first) as is_new
    from (
      select j.organization_id, j.request_id, j.seq = 0 as is_first
      from budgets_journalentry j
      where j.id > p_after_entry and j.id <= p_until_entry
        and (p_organization is null or j.organization_id = p_organization)
        and j.admitted_at >= p_starts_at and j.admitted_at < p_ends_at
      union all
      -- From nothing on, every call with a record has its first entry above.
      select r.organization_id, r.request_id, false
      from tracking_costrecord r
      where p_after_entry > 0 and r.id > p_after_record and r.id <= p_until_record
        and (p_organization is null or r.organization_id = p_organization)
    ) x
    group by 1, 2
  )
  select t.organization_id, c.admitted_at, c.project_id, c.user_id, c.api_key_id, c.model,
    a.provider, a.endpoint, c.tags, c.session, a.end_user, l.kind, l.label,
    side.sign, side.sign * l.cost_usd, side.sign * a.input_tokens,
    side.sign * a.cached_input_tokens, side.sign * a.cache_write_tokens,
    side.sign * a.output_tokens, side.sign * a.reasoning_tokens, side.sign * a.attempts,
    side.sign * (a.outcome in ('interrupted', 'failed', 'unknown'))::integer
  from touched t
  cross join (values
    (1::bigint, p_until_entry, p_until_record), (-1::bigint, p_after_entry, p_after_record)
  ) side(sign, entry_id, record_id)
  cross join lateral (
    -- All entries of a call repeat what its first one says.
    select min(j.admitted_at) as admitted_at, min(j.project_id) as project_id,
      min(j.user_id) as user_id, min(j.api_key_id) as api_key_id, min(j.model)::text as model,
      min(j.tags)::text[] as tags, min(j.session)::text as session, sum(j.amount_usd) as cost_usd
    from budgets_journalentry j
    where j.organization_id = t.organization_id and j.request_id = t.request_id
      and j.id <= side.entry_id
    having count(*) filter (where j.seq = 0) > 0
  ) c
  cross join lateral (
    select count(*) as attempts,
      coalesce((array_agg(r.provider order by r.attempt desc))[1], '')::text as provider,
      coalesce((array_agg(r.endpoint order by r.attempt desc))[1], '')::text as endpoint,
      coalesce((array_agg(r.end_user order by r.attempt desc))[1], '')::text as end_user,
      coalesce((array_agg(r.outcome order by r.attempt desc))[1], '') as outcome,
      coalesce((array_agg(r.finish_reason order by r.attempt desc))[1], '') as finish_reason,
      least(c.cost_usd, coalesce(
        sum(r.cost_usd) - (array_agg(r.cost_usd order by r.attempt desc))[1], 0)) as earlier_usd,
      coalesce(sum(r.input_tokens), 0)::bigint as input_tokens,
      coalesce(sum(r.cached_input_tokens), 0)::bigint as cached_input_tokens,
      coalesce(sum(r.cache_write_tokens), 0)::bigint as cache_write_tokens,
      coalesce(sum(r.output_tokens), 0)::bigint as output_tokens,
      coalesce(sum(r.reasoning_tokens), 0)::bigint as reasoning_tokens
    from tracking_costrecord r
    where r.organization_id = t.organization_id and r.request_id = t.request_id
      and r.id <= side.record_id
  ) a
  cross join lateral (
    select '' as kind, '' as label, c.cost_usd
    union all
    select distinct 'tag', tag, c.cost_usd from unnest(c.tags) tag
    union all
    select 'session', c.session, c.cost_usd where c.session <> ''
    union all
    select 'end_user', a.end_user, c.cost_usd where a.end_user <> ''
    union all
    -- A refund makes less of a call wasted; the attempts before the last one bear it last.
    select 'waste', w.label, c.cost_usd - a.earlier_usd
    from (select tracking_wasted_as(a.outcome, a.finish_reason)) w(label)
    where w.label is not null and c.cost_usd > a.earlier_usd
    union all
    select 'waste', 'retried', a.earlier_usd where a.earlier_usd > 0
  ) l
  where c.admitted_at >= p_starts_at and c.admitted_at < p_ends_at
    -- Where the first entry is among what came, there was no call before.
    and (side.sign = 1 or (p_after_entry > 0 and not t.is_new))
$$;
