-- Note that a route has failed. Another process may have left it alone for longer already.
insert into tracking_routehealth as h (
  provider_id, model, failures, code, failed_at, cools_until, recovered_at)
select id, %(model)s, %(failures)s, %(code)s, %(now)s, %(cools_until)s, null
from tracking_provider where id = %(provider)s
on conflict (provider_id, model) do update
set failures = excluded.failures, code = excluded.code, failed_at = excluded.failed_at,
  cools_until = greatest(h.cools_until, excluded.cools_until), recovered_at = null
returning 1
