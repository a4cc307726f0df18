"""Who changed which configuration, when, and what it was before.

Promises that every change of a tracked table is kept, however it was made, and stays as it is.
Refuses secrets and hot tables: money has its own journal.
"""
