"""Tests of requests for more."""
