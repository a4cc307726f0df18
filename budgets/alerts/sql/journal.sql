-- What the journal says for some rules: for each, and for each of its subjects, the dollars and the
-- unconfirmed estimates admitted in its span, and the last call. A rule without a subject always
-- has one row.
select r.rule, coalesce(s.subject, ''), coalesce(s.usd, 0), coalesce(s.unconfirmed, 0), s.last_at
from json_to_recordset(%(asked)s::json) as r(
  rule bigint, organization bigint, starts_at timestamptz, scope text, target text, each text)
left join lateral (
  select
    case r.each
      when 'user' then j.user_id::text
      when 'project' then j.project_id::text
      when 'api_key' then j.api_key_id::text
      when 'model' then j.model
      when 'tag' then t.tag
      else ''
    end as subject,
    sum(j.amount_usd) as usd,
    count(*) filter (where j.kind = 'estimate' and not exists (
      select from budgets_journalentry c
      where c.organization_id = j.organization_id and c.request_id = j.request_id
        and c.kind = 'correction')) as unconfirmed,
    max(j.admitted_at) as last_at
  from budgets_journalentry j
  left join lateral unnest(case r.each when 'tag' then j.tags end) t(tag) on true
  where j.organization_id = r.organization
    and j.admitted_at >= r.starts_at and j.admitted_at <= %(now)s
    and case r.scope
      when 'organization' then true
      when 'project' then j.project_id::text = r.target
      when 'user' then j.user_id::text = r.target
      when 'api_key' then j.api_key_id::text = r.target
      when 'model' then budgets_matches(r.target, j.model)
      when 'tag' then r.target = any(j.tags)
    end
  group by 1
) s on true
where r.each = '' or s.subject is not null
order by r.rule, 2
