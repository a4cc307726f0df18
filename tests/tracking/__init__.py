"""Tests of models and tokens."""
