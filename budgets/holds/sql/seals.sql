-- The hash over what an organization booked in one hour, in order, and over the seal before it.
-- Instants are written as seconds, so that no session's settings change the text.
create function budgets_digest(p_organization bigint, p_hour timestamptz, p_previous bytea)
returns table (entries integer, digest bytea) language sql stable as $$
  select count(*)::integer, sha256(p_previous || convert_to(coalesce(string_agg(
    concat_ws('|', j.id, j.request_id, j.seq, j.kind, j.amount_usd, j.held_usd, j.tokens,
      j.api_key_id, j.project_id, j.user_id, j.model, array_to_string(j.tags, ','), j.session,
      array_to_string(j.balance_ids, ','), extract(epoch from j.admitted_at),
      extract(epoch from j.booked_at), j.reason, j.actor_id),
    E'\n' order by j.id), ''), 'UTF8'))
  from budgets_journalentry j
  where j.organization_id = p_organization
    and j.booked_at >= p_hour and j.booked_at < p_hour + interval '1 hour'
$$;

-- Seal every hour that ended by p_until and is not sealed yet; returns how many seals were made.
-- The caller leaves time for transactions that began in the hour to end.
create function budgets_seal(p_until timestamptz) returns integer language plpgsql as $$
declare
  v_since timestamptz;
  v_until constant timestamptz := date_trunc('hour', p_until, 'UTC');
  v_made integer := 0;
  v_open record;
  v_previous bytea;
  v_entries integer;
  v_digest bytea;
begin
  perform pg_advisory_xact_lock(70702, 0);
  select instant into v_since from budgets_sealeduntil;
  for v_open in
    select j.organization_id, date_trunc('hour', j.booked_at, 'UTC') as hour
    from budgets_journalentry j
    where j.booked_at >= coalesce(v_since, '-infinity') and j.booked_at < v_until
    group by 1, 2 order by 1, 2
  loop
    select s.digest into v_previous from budgets_seal s
    where s.organization_id = v_open.organization_id order by s.hour desc limit 1;
    select d.entries, d.digest into v_entries, v_digest
    from budgets_digest(v_open.organization_id, v_open.hour, coalesce(v_previous, '')) d;
    insert into budgets_seal (organization_id, hour, entries, previous, digest, sealed_at)
    values (v_open.organization_id, v_open.hour, v_entries, coalesce(v_previous, ''), v_digest,
      clock_timestamp());
    v_made := v_made + 1;
  end loop;
  insert into budgets_sealeduntil (id, instant) values (1, v_until)
  on conflict (id) do update set instant = greatest(budgets_sealeduntil.instant, excluded.instant);
  return v_made;
end
$$;

create trigger seal_append_only before update or delete on budgets_seal
for each row execute function budgets_refuse_change();

create trigger seal_no_truncate before truncate on budgets_seal
for each statement execute function budgets_refuse_change();
