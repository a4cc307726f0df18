"""Tests of past use."""
