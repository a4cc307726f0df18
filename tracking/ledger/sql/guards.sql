-- What was once recorded stays as it is.
create or replace function tracking_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name
    using errcode = 'integrity_constraint_violation';
end
$$;

create or replace trigger cost_record_append_only
before update or delete on tracking_costrecord
for each row execute function tracking_refuse_change();

create or replace trigger cost_record_no_truncate
before truncate on tracking_costrecord
for each statement execute function tracking_refuse_change();
