"""The ways of calling models: each endpoint's body, its worst case, and what its answers used.

An endpoint is the only place that knows its dialect. Holding, sending, settling and streaming are
the same for all of them.
"""
