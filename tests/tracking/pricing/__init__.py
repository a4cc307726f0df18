"""Tests of the catalogue, its prices and the arithmetic."""
