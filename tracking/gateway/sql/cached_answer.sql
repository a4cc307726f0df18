-- The answer that a project was given to the same request before, unless its time is over.
select sealed, cost_usd from tracking_cachedanswer
where organization_id = %(organization)s and project_id = %(project)s and digest = %(digest)s
  and expires_at > %(now)s
