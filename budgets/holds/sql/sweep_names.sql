-- Delete names that were claimed long ago. In the order in which a step claims them, and past those
-- that one is claiming anew: each would wait for the other.
delete from budgets_idempotencykey where id in (
  select n.id from budgets_idempotencykey n
  where n.claimed_at <= %(before)s
  order by n.api_key_id, n.name
  limit %(most)s
  for update of n skip locked)
