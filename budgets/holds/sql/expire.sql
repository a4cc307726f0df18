-- Charge overdue holds in full, as estimates. No lock is taken before the step's own: a hold that
-- is settled or renewed in between is simply not charged here.
create function budgets_expire(p_most integer, p_now timestamptz default null)
returns integer language sql as $$
  select count(*)::integer from budgets_step('[]', coalesce((
    select json_agg(json_build_object(
      'id', h.request_id, 'org', h.organization_id, 'kind', 'estimate', 'overdue', true))
    from (select * from budgets_hold
          where expires_at <= coalesce(p_now, clock_timestamp())
          order by expires_at limit p_most) h), '[]'), p_now)
  where code = 'settled'
$$;
