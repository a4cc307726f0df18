-- Note that a route has failed. Another process may have left it alone for longer already; it is down
-- since it was first left alone after it had last answered.
insert into tracking_routehealth as h (
  provider_id, model, failures, code, failed_at, cools_until, recovered_at, down_since)
select id, %(model)s, %(failures)s, %(code)s, %(now)s, %(cools_until)s, null,
  case when %(cools_until)s::timestamptz is not null then %(now)s::timestamptz end
from tracking_provider where id = %(provider)s
on conflict (provider_id, model) do update
set failures = excluded.failures, code = excluded.code, failed_at = excluded.failed_at,
  cools_until = greatest(h.cools_until, excluded.cools_until), recovered_at = null,
  down_since = coalesce(
    case when h.recovered_at is null then h.down_since end, excluded.down_since)
returning 1
