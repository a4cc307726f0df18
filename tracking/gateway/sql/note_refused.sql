-- Add what a process has counted of refused calls, in the order of their keys: two processes that
-- add at once never wait for each other in a circle.
insert into tracking_refusedcalls as r (
  organization_id, api_key_id, model, code, starts_at, calls)
select a.organization, a.api_key, a.model, a.code, a.starts_at, a.calls
from json_to_recordset(%(rows)s::json) as a(
  organization bigint, api_key bigint, model text, code text, starts_at timestamptz, calls bigint)
order by 1, 5, 2, 3, 4
on conflict (organization_id, starts_at, api_key_id, model, code) do update
set calls = r.calls + excluded.calls
returning 1
