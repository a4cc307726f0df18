-- The edition of providers and aliases, and which routes have failed of late. Read every second.
select
  coalesce((select number from tracking_routeedition), 0),
  coalesce((
    select json_agg(json_build_array(
      provider_id, model, failures, extract(epoch from cools_until)::float8))
    from tracking_routehealth
    where recovered_at is null and cools_until > clock_timestamp() - interval '1 hour'), '[]')
