-- Keep the answer of a request; the first one kept stays.
insert into tracking_storedanswer (organization_id, request_id, content_type, sealed, expires_at)
values (%(organization)s, %(request_id)s, %(content_type)s, %(sealed)s, %(expires_at)s)
on conflict (request_id) do nothing
returning request_id
