"""Limits: how much may be spent, by whom, in which window.

Owns the budgets and their balances. Promises that a window is computed from the clock and the
tenant's time zone, so that nothing has to be reset. Refuses to take a lock: that is ``holds``.
"""
