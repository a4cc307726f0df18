"""The edges of the web server: bodies, disconnects, static files, start and stop of the process.

Promises that no body over the limit is read whole and that a client who leaves is noticed. Knows
nothing of what is behind the addresses.
"""
