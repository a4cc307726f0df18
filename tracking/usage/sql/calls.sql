-- The calls of a slice, newest first, from a place on, as they stood at a position of the ledger. The
-- page is cut before anything is joined.
with page as materialized (
  select id, request_id, admitted_at, kind, model, user_id, project_id, api_key_id, tags, session,
    amount_usd
  from budgets_journalentry j
  where organization_id = %(organization)s and seq = 0 and id <= %(until_entry)s
    and admitted_at >= %(starts_at)s and admitted_at < %(ends_at)s
    and (%(user_id)s::bigint is null or user_id = %(user_id)s::bigint)
    and (%(project)s::bigint is null or project_id = %(project)s::bigint)
    and (%(api_key)s::bigint is null or api_key_id = %(api_key)s::bigint)
    and (%(model)s::text is null or model = %(model)s::text)
    and (%(tag)s::text is null or %(tag)s::text = any(tags))
    and (%(session)s::text is null or session = %(session)s::text)
    and (%(viewer_id)s::bigint is null or user_id = %(viewer_id)s::bigint
      or project_id = any(%(led_projects)s::bigint[]))
    -- The last attempt says who served a call and for whom.
    and ((%(provider)s::text is null and %(endpoint)s::text is null and %(end_user)s::text is null)
      or exists (
        select from (
          select c.provider, c.endpoint, c.end_user from tracking_costrecord c
          where c.organization_id = j.organization_id and c.request_id = j.request_id
            and c.id <= %(until_record)s
          order by c.attempt desc limit 1) c
        where (%(provider)s::text is null or c.provider = %(provider)s::text)
          and (%(endpoint)s::text is null or c.endpoint = %(endpoint)s::text)
          and (%(end_user)s::text is null or c.end_user = %(end_user)s::text)))
    and (%(before_at)s::timestamptz is null
      or (admitted_at, id) < (%(before_at)s::timestamptz, %(before_id)s::bigint))
    and (%(waste)s::text is null or exists (
      select from (
        select count(*) as attempts,
          coalesce((array_agg(c.outcome order by c.attempt desc))[1], '') as outcome,
          coalesce((array_agg(c.finish_reason order by c.attempt desc))[1], '') as finish_reason,
          coalesce(sum(c.cost_usd) - (array_agg(c.cost_usd order by c.attempt desc))[1], 0)
            as earlier_usd
        from tracking_costrecord c
        where c.organization_id = j.organization_id and c.request_id = j.request_id
          and c.id <= %(until_record)s) c
      cross join lateral (
        select sum(k.amount_usd) as cost_usd from budgets_journalentry k
        where k.organization_id = j.organization_id and k.request_id = j.request_id
          and k.id <= %(until_entry)s) k
      where case %(waste)s::text
        when 'retried' then least(k.cost_usd, c.earlier_usd) > 0
        else k.cost_usd > c.earlier_usd
          and tracking_wasted_as(c.outcome, c.finish_reason) = %(waste)s::text end))
    and (%(prompt_hash)s::uuid is null or exists (
      select from tracking_costrecord c
      where c.organization_id = j.organization_id and c.request_id = j.request_id
        and c.id <= %(until_record)s and c.prompt_hash = %(prompt_hash)s::uuid))
  order by admitted_at desc, id desc
  limit %(most)s
)
select p.request_id, p.id, p.admitted_at, p.kind, p.model,
  p.user_id, coalesce(nullif(u.name, ''), u.email), p.api_key_id, k.name,
  p.amount_usd + coalesce(later.amount_usd, 0), later.amount_usd is not null,
  r.attempts, r.provider, r.outcome, r.status, r.input_tokens, r.cached_input_tokens,
  r.output_tokens, r.duration_ms, u.email, p.project_id, o.name, coalesce(r.endpoint, ''), p.tags,
  p.session, coalesce(r.end_user, '')
from page p
join budgets_user u on u.id = p.user_id
join budgets_apikey k on k.id = p.api_key_id
join budgets_project o on o.id = p.project_id
cross join lateral (
  select sum(j.amount_usd) as amount_usd
  from budgets_journalentry j
  where j.organization_id = %(organization)s and j.request_id = p.request_id and j.seq > 0
    and j.id <= %(until_entry)s
) later
cross join lateral (
  -- Of several attempts the last says how the call ended; tokens and time are those of all.
  select count(*) as attempts, (array_agg(c.provider order by c.attempt desc))[1] as provider,
    (array_agg(c.outcome order by c.attempt desc))[1] as outcome,
    (array_agg(c.status order by c.attempt desc))[1] as status,
    coalesce(sum(c.input_tokens), 0)::bigint as input_tokens,
    coalesce(sum(c.cached_input_tokens), 0)::bigint as cached_input_tokens,
    coalesce(sum(c.output_tokens), 0)::bigint as output_tokens,
    sum(c.duration_ms)::bigint as duration_ms,
    (array_agg(c.endpoint order by c.attempt desc))[1] as endpoint,
    (array_agg(c.end_user order by c.attempt desc))[1] as end_user
  from tracking_costrecord c
  where c.organization_id = %(organization)s and c.request_id = p.request_id
    and c.id <= %(until_record)s
) r
order by p.admitted_at desc, p.id desc
