"""Tests of handing in what only tracking knows."""
