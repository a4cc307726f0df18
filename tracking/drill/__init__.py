"""The drill: fire parallel calls at a small budget through real HTTP, and count.

Owns a throw-away tenant, a provider on loopback that keeps its own count, and servers of its own.
Promises to touch no other tenant. The provider's count is the outside witness: a ledger that agrees
only with itself proves nothing.
"""
