-- The answer that was kept of a request, unless its time is over.
select content_type, sealed from tracking_storedanswer
where organization_id = %(organization)s and request_id = %(request_id)s and expires_at > %(now)s
