"""Tenants and those who act for them: organizations, members, projects, API keys.

Owns identity: who a caller is and for whom they spend. Promises that a key's secret is stored
only as a keyed hash and shown once. Refuses to know what anything costs.
"""
