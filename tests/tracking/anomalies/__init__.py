"""Tests of unusual spend."""
