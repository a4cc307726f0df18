"""The gateway: the endpoints that applications call.

Owns the way of a call: find, hold, send, settle, answer. Promises that nothing is sent before
its worst case is held, and that whatever a provider billed is settled. Refuses every parameter
that it does not know.
"""
