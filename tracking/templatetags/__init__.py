"""Filters that write figures in templates; Django looks for them here."""
