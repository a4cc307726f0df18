-- Every active provider, in an order that does not depend on how the table lies.
select id, name, organization_id, label, kind, base_url, door, sealed_key, weight, connect_timeout_s,
  first_byte_timeout_s, idle_timeout_s, total_timeout_s
from tracking_provider where active order by id
