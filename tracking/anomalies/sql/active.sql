-- The organizations that have spent in the last hours: only these can have begun something unusual.
select o.id from budgets_organization o
where exists (
  select from tracking_quarterhourusage u
  where u.organization_id = o.id and u.starts_at >= %(since)s)
order by o.id
