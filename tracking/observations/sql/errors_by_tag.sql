-- The same by tag, for the organizations that ask for it: rollups know tags by whole days only. A call
-- counts by how its last attempt ended.
with ended as (
  select distinct on (c.organization_id, c.request_id) c.organization_id, c.tags, c.outcome
  from tracking_costrecord c
  where c.organization_id = any(%(organizations)s) and c.started_at >= %(since)s
    and c.tags <> '{}'
  order by c.organization_id, c.request_id, c.attempt desc
)
select e.organization_id, 'tag', t.tag, count(*),
  count(*) filter (where e.outcome in ('interrupted', 'failed', 'unknown'))
from ended e cross join lateral unnest(e.tags) as t(tag)
group by 1, 3
having count(*) >= %(least_calls)s
order by 1, 3
