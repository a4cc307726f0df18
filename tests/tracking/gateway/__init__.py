"""Calls through the gateway."""
