-- Keep the answer to a request of a project; the last one kept stays.
insert into tracking_cachedanswer
  (organization_id, project_id, digest, sealed, cost_usd, expires_at)
values
  (%(organization)s, %(project)s, %(digest)s, %(sealed)s, %(cost_usd)s, %(expires_at)s)
on conflict (organization_id, project_id, digest) do update
  set sealed = excluded.sealed, cost_usd = excluded.cost_usd, expires_at = excluded.expires_at
returning id
