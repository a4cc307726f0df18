"""The ledger of calls: what each call was, told to the last token.

Owns the cost records, one for each attempt at a provider, and what looks after them: the audit,
re-rating, and settlements that were left unsettled.
Promises that a record is written in the transaction that books its amount in the journal of
``budgets.holds`` or not at all. Refuses every change to what was once recorded.
"""
