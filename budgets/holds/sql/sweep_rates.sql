-- Delete balances of rate limits whose minute is long over. In the order in which every writer
-- locks balances, and past those that someone is about to correct.
delete from budgets_balance where id in (
  select b.id from budgets_balance b join budgets_budget d on d.id = b.budget_id
  where d."window" = 'minute' and b.unit <> 'usd' and b.held = 0 and b.window_start < %(before)s
  order by b.rank desc, b.id
  limit %(most)s
  for update of b skip locked)
