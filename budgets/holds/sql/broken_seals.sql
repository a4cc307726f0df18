-- Every sealed hour whose entries or whose seal before it are no longer what was sealed, and every
-- hour within the sealed time that has entries but no seal. No row means that all seals hold.
with chain as (
  select s.*, lag(s.digest, 1, ''::bytea)
    over (partition by s.organization_id order by s.hour) as before
  from budgets_seal s
)
select c.organization_id, c.hour,
  case when c.previous <> c.before then 'the seal before it changed' else 'entries changed' end
from chain c cross join lateral budgets_digest(c.organization_id, c.hour, c.previous) d
where c.previous <> c.before or d.digest <> c.digest or d.entries <> c.entries
union all
select j.organization_id, date_trunc('hour', j.booked_at, 'UTC'), 'entries without a seal'
from budgets_journalentry j
where j.booked_at < (select instant from budgets_sealeduntil)
  and not exists (select from budgets_seal s where s.organization_id = j.organization_id
                  and s.hour = date_trunc('hour', j.booked_at, 'UTC'))
group by 1, 2
order by 1, 2
