-- The last journal entry and the last cost record there are.
select coalesce((select max(id) from budgets_journalentry), 0),
  coalesce((select max(id) from tracking_costrecord), 0)
