"""Alerts by e-mail, as text and as HTML."""
