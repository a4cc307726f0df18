-- What an API key has spent today, this week and this month, in the organization's time zone.
-- A week can begin before the month does, so both bound the range that is read.
select
  coalesce(sum(j.amount_usd) filter (where j.admitted_at >= w.today), 0),
  coalesce(sum(j.amount_usd) filter (where j.admitted_at >= w.week), 0),
  coalesce(sum(j.amount_usd) filter (where j.admitted_at >= w.month), 0)
from (
  select budgets_window_start('day', %(zone)s, %(now)s) as today,
    budgets_window_start('week', %(zone)s, %(now)s) as week,
    budgets_window_start('month', %(zone)s, %(now)s) as month
) w
left join budgets_journalentry j
  on j.organization_id = %(organization)s and j.api_key_id = %(api_key)s
  and j.admitted_at >= least(w.week, w.month)
