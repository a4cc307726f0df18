"""Tests of files of past use."""
