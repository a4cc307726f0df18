-- Of the recorded calls of a span, how many had a prompt whose hash was kept, and how many of these
-- had been sent before in it.
select count(*), count(*) - count(distinct (c.model, c.prompt_hash))
from tracking_costrecord c
where c.organization_id = %(organization)s and c.started_at >= %(starts_at)s
  and c.started_at < %(ends_at)s and c.attempt = 1 and c.prompt_hash is not null
  and c.model = any(%(models)s)
