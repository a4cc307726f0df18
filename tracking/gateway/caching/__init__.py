"""The response cache: a project's equal, deterministic requests are answered again, for nothing.

Opt-in by plan, key or header. An answer from it is admitted and recorded like any call, at cost
zero and with what it saved. Refuses to keep what was cut short, cut to fit, or not confirmed, and
never gives anything to another project.
"""
