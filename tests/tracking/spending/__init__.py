"""Tests of the spending pages."""
