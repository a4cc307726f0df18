"""What a model costs, at every instant: the catalogue, its dated prices and the arithmetic.

Owns the list of models, their prices as immutable dated versions, and the exact cost of a call.
Promises that a cost is the sum of its lines to the last of twelve places, that an upper bound is
never below a cost, and that a price once published is never changed. Refuses to price a model
silently at zero: what nobody has priced is an error.
"""
