"""Hands in what only tracking knows, for the rules of alerts: forecasts, failures, refusals, routes."""
