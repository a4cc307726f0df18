"""Alerts to any program, signed as the Standard Webhooks specification says."""
