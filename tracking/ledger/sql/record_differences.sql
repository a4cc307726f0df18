-- Every call whose records do not add up: lines to the record's cost, and costs to what the journal
-- charged for it (what people booked later, from seq 2 on, is theirs), and every charge without a
-- record. No row means that all agree.
select r.organization_id, r.request_id, 'the lines of a record do not add up to its cost'
from tracking_costrecord r
where jsonb_array_length(r.lines) > 0 and r.cost_usd is distinct from (
  select sum((line ->> 'amount_usd')::numeric) from jsonb_array_elements(r.lines) line)
union all
select r.organization_id, r.request_id, 'the journal charged another amount than the records say'
from (
  select organization_id, request_id, sum(cost_usd) as cost_usd
  from tracking_costrecord group by 1, 2
) r
left join (
  select organization_id, request_id, sum(amount_usd) as amount_usd
  from budgets_journalentry where seq < 2 group by 1, 2
) j on j.organization_id = r.organization_id and j.request_id = r.request_id
where j.amount_usd is distinct from r.cost_usd
union all
select j.organization_id, j.request_id, 'the journal charged a call that has no record'
from budgets_journalentry j
where j.seq = 0 and j.kind = 'charge' and not exists (
  select from tracking_costrecord r
  where r.organization_id = j.organization_id and r.request_id = j.request_id)
order by 1, 2
