"""Models and tokens: what was called, what it cost, and what that means.

Builds on ``budgets`` and is known to nobody but the site's wiring.
"""
