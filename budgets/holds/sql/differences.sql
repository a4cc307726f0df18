-- Every balance that is not what the open holds and the journal add up to, in one snapshot.
-- No row means that all agree.
with touched as (
  select b.id, h.organization_id,
    case b.unit when 'usd' then h.amount_usd when 'tokens' then h.tokens else 1 end as held,
    0::numeric as spent
  from budgets_hold h cross join lateral unnest(h.balance_ids) t(id)
  join budgets_balance b on b.id = t.id
  union all
  select b.id, j.organization_id, 0,
    case b.unit when 'usd' then j.amount_usd when 'tokens' then j.tokens
      when 'requests' then (j.seq = 0)::integer else 0 end
  from budgets_journalentry j cross join lateral unnest(j.balance_ids) t(id)
  join budgets_balance b on b.id = t.id
), wanted as (
  select id, sum(held) as held, sum(spent) as spent
  from touched group by id
)
select b.id, b.organization_id, d.name, b.subject, b.window_start, b.unit,
  b.held, coalesce(w.held, 0) as held_by_holds,
  b.spent, b.opening + coalesce(w.spent, 0) as spent_by_journal
from budgets_balance b
join budgets_budget d on d.id = b.budget_id
left join wanted w on w.id = b.id
where b.held <> coalesce(w.held, 0)
  or b.spent <> b.opening + coalesce(w.spent, 0)
  or (b.blocks and b.spent + b.held > b.limit_amount + b.excess)
order by b.id
