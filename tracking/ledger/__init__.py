"""The ledger of calls: what each call was, told to the last token.

Owns the cost records, one for each attempt at a provider, and the receipt made from them.
Promises that a record is written in the transaction that books its amount in the journal of
``budgets.holds`` or not at all. Refuses every change to what was once recorded.
"""
