-- The journal is append-only, whoever asks.
create or replace function budgets_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: book a further entry instead', tg_table_name
    using errcode = 'integrity_constraint_violation';
end
$$;

create or replace trigger journal_append_only
before update or delete on budgets_journalentry
for each row execute function budgets_refuse_change();

create or replace trigger journal_no_truncate
before truncate on budgets_journalentry
for each statement execute function budgets_refuse_change();

-- Balances are updated thousands of times a second: room on each page keeps the new version of a
-- row beside the old one (a HOT update), and vacuum comes by the count of changes, not by share.
alter table budgets_balance set (
  fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
alter table budgets_hold set (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
