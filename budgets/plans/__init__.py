"""Plans: what a tier allows.

Owns the named tiers and their rules about models and output. What a tier allows in money and
in calls is a set of budgets (``budgets.limits``) that carry the plan's name, so that a plan's
allowance and a tenant's own budget are enforced by one mechanism. Refuses to know who is on it.
"""
