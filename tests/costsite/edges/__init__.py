"""Tests of the web server's edges."""
