-- Who holds an API key, by the key's public id, and what proves them. A member's own plan goes
-- before the organization's. The columns are those of Proof, then those of Caller.
select a.secret_digest, a.previous_digest, a.previous_expires_at,
  o.id, o.name, o.slug, o.time_zone, a.id, a.name, a.project_id, a.user_id, a.scopes, a.expires_at,
  a.status = 'active' and u.is_active, p.code, p.default_output_tokens, p.max_output_tokens,
  p.fits_output, p.wait_for_room_ms, o.stores_answers,
  a.required_tags, coalesce(a.cache_ttl_s, p.cache_ttl_s), p.allowed_models, a.allowed_models
from budgets_apikey a
join budgets_organization o on o.id = a.organization_id
join budgets_user u on u.id = a.user_id
join budgets_membership m on m.organization_id = o.id and m.user_id = u.id
join budgets_plan p on p.id = coalesce(m.plan_id, o.plan_id)
where a.lookup_id = %(lookup_id)s
