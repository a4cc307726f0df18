"""Seeded faults: the ledger is broken on purpose, once a rule, and the tests must notice."""
