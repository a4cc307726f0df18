-- The providers that some organizations call and that are left alone: since when, for which models, and
-- what the last failure was. An organization's own stands in place of the site's of that name. One that
-- only limits its calls is not down; one that nobody has tried for an hour is not known to be.
select o.id, p.id, p.name, p.label, min(h.down_since),
  array_agg(h.model order by h.model), (array_agg(h.code order by h.failed_at desc))[1]
from budgets_organization o
join tracking_provider p on p.active and (p.organization_id = o.id or (
  p.organization_id is null and not exists (
    select from tracking_provider own
    where own.organization_id = o.id and own.name = p.name and own.active)))
join tracking_routehealth h on h.provider_id = p.id and h.down_since is not null
  and h.code <> 'provider_rate_limited' and h.cools_until > %(now)s - interval '1 hour'
where o.id = any(%(organizations)s) and exists (
  select from tracking_series s where s.organization_id = o.id and s.provider = p.name)
group by 1, 2, 3, 4
order by 1, 3, 4
