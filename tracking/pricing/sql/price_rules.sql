-- Every price rule that holds at the instant or later. A plan is named by its code, as callers are.
-- The rates stay text: they are parsed when they are first applied.
SELECT rule.id,
       rule.organization_id,
       plan.code,
       rule.model_pattern,
       rule.factor,
       rule.rates::text,
       rule.valid_from,
       rule.valid_to
FROM tracking_pricerule AS rule
LEFT JOIN budgets_plan AS plan ON plan.id = rule.plan_id
WHERE rule.valid_to IS NULL OR rule.valid_to > %(at)s
