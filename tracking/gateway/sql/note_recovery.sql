-- Note that a route that had failed has answered.
update tracking_routehealth
set failures = 0, cools_until = null, down_since = null, recovered_at = %(now)s
where provider_id = %(provider)s and model = %(model)s and recovered_at is null
returning 1
