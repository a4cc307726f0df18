"""Measurements, run by hand: what they find stands in docs/performance.md."""
