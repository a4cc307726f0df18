"""The spending pages: what was spent, how much is left, and the receipt of every call.

Owns what people see of past use. Promises that a member sees their own calls, that owners, admins
and viewers see their organization's, and that another tenant's do not exist. Refuses to compute a
figure of its own: they come from ``usage`` and from the balances.
"""
