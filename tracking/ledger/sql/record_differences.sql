-- Every call whose records do not add up: lines to the record's cost, and costs to what the journal
-- charged for it (what people booked later, from seq 2 on, is theirs). No row means that all agree.
select r.organization_id, r.request_id, 'the lines of a record do not add up to its cost'
from tracking_costrecord r
where jsonb_array_length(r.lines) > 0 and r.cost_usd <> (
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
order by 1, 2
