"""Asking for more: somebody asks, an owner or admin decides, a raise comes and ends by itself.

Promises that a request is decided once, by who may, and that the one who asked is told. Refuses to
raise anything by itself: the raise is made by holds.
"""
