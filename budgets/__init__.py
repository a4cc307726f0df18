"""People and money: who may spend, how much, and who must be told.

Without ``tracking`` this app is still a correct spend-authority engine: it holds, settles,
releases and expires amounts against budgets, keeps the journal of every amount, and has
never heard of a language model.
"""
