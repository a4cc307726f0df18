"""Tests of the ledger of calls."""
