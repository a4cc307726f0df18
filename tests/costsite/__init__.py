"""Tests of the wiring: set-up, servers, settings, edges."""
