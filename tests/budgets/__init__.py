"""Tests of people and money."""
