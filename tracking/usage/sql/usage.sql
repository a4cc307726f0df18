-- What the calls of a slice add up to: in all, by day, by model, by user, and by day and model.
-- One statement is one snapshot: whatever is booked meanwhile, the rows add up to the total.
--
-- Money is every journal entry, attributed to the instant its call was admitted at, as budgets
-- do. Tokens are those of every attempt that was recorded for a call. starts holds the instant
-- at which each day begins, so that days are cut in one place only: in Python.
with entries as materialized (
  select request_id, seq, amount_usd, model, user_id,
    width_bucket(admitted_at, %(starts)s::timestamptz[]) as day
  from budgets_journalentry
  where organization_id = %(organization)s
    and admitted_at >= %(starts_at)s and admitted_at < %(ends_at)s
    and (%(user_id)s::bigint is null or user_id = %(user_id)s::bigint)
    and (%(project)s::bigint is null or project_id = %(project)s::bigint)
    and (%(api_key)s::bigint is null or api_key_id = %(api_key)s::bigint)
    and (%(model)s::text is null or model = %(model)s::text)
), facts as (
  select day, model, user_id, amount_usd, (seq = 0)::integer as calls, 0 as input_tokens,
    0 as cached_input_tokens, 0 as output_tokens, 0 as reasoning_tokens
  from entries
  union all
  select e.day, e.model, e.user_id, 0, 0, r.input_tokens, r.cached_input_tokens, r.output_tokens,
    r.reasoning_tokens
  from entries e
  join tracking_costrecord r
    on r.organization_id = %(organization)s and r.request_id = e.request_id
  where e.seq = 0
)
select grouping(day, model, user_id) as grouped_over, day, model, user_id,
  coalesce(sum(amount_usd), 0) as cost_usd, coalesce(sum(calls), 0)::bigint,
  coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(cached_input_tokens), 0)::bigint,
  coalesce(sum(output_tokens), 0)::bigint, coalesce(sum(reasoning_tokens), 0)::bigint
from facts
group by grouping sets ((), (day), (model), (user_id), (day, model))
order by cost_usd desc, day, model, user_id
