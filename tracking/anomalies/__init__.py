"""Unusual spend: found against what is usual, told with what explains it.

What is usual is told from the rollups alone; nothing here touches the ledger.
"""
