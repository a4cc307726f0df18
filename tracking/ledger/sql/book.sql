-- One step of the ledger, and the records of the calls it settled: all in one transaction.
-- A record is written only with the verdict that books its amount, so that a repeated step
-- cannot write it again.
with verdict as materialized (
  select * from budgets_step(%(holds)s::json, %(settles)s::json, %(now)s::timestamptz)
), recorded as (
  insert into tracking_costrecord (
    organization_id, request_id, origin_request_id, attempt, endpoint, provider, credential,
    asked_model, model, price_id, price_rule_id, outcome, usage_source, status, error_code,
    is_streamed, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
    reasoning_tokens, lines, cost_usd, saved_usd, output_cap_tokens, is_fitted, finish_reason,
    provider_request_id, end_user, session, tags, metadata, started_at, first_byte_ms,
    duration_ms, prompt_hash, service_tier)
  select r.organization_id, r.request_id, r.origin_request_id, r.attempt, r.endpoint, r.provider,
    coalesce(r.credential, ''), r.asked_model, r.model, r.price_id, r.price_rule_id, r.outcome,
    r.usage_source, r.status, r.error_code, r.is_streamed,
    r.input_tokens, r.cached_input_tokens, r.cache_write_tokens, r.output_tokens,
    r.reasoning_tokens, r.lines, r.cost_usd, coalesce(r.saved_usd, 0), r.output_cap_tokens,
    r.is_fitted, r.finish_reason, r.provider_request_id, r.end_user, r.session, r.tags,
    r.metadata, r.started_at, r.first_byte_ms, r.duration_ms, r.prompt_hash, coalesce(r.service_tier, '')
  from verdict v
  join json_populate_recordset(null::tracking_costrecord, %(records)s::json) r
    on r.request_id = v.request_id
  where v.op = 'settle' and v.code in ('settled', 'corrected')
)
select op, request_id, code, amount_usd, told from verdict
