-- Whoever changes providers or aliases, by whatever door, makes every copy in memory stale.
-- Before the statement and not after: every writer locks the edition first and rows afterwards.
create or replace function tracking_routes_move_on() returns trigger language plpgsql as $$
begin
  insert into tracking_routeedition as edition (id, number) values (1, 1)
  on conflict (id) do update set number = edition.number + 1;
  return null;
end
$$;

create or replace trigger tracking_routes_move_on
before insert or update or delete or truncate on tracking_provider
for each statement execute function tracking_routes_move_on();

create or replace trigger tracking_routes_move_on
before insert or update or delete or truncate on tracking_alias
for each statement execute function tracking_routes_move_on();

create or replace trigger tracking_routes_move_on
before insert or update or delete or truncate on tracking_aliastarget
for each statement execute function tracking_routes_move_on();
