"""Tests of the shared web edge."""
