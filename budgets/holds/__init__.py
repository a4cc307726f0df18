"""Hold, settle and release money against budgets; the journal of every amount.

Owns the holds, the journal and every lock in the project. Promises that a call is admitted by
all budgets that apply to it or by none, that it is charged exactly once, and that balances equal
the journal at every moment. Refuses to know what a call was for.
"""
