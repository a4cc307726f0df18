"""Alerts in Microsoft Teams, by a workflow that posts what a webhook gets."""
