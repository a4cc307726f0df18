"""Crashes: processes and servers are killed, and the journal is compared with what was told."""
