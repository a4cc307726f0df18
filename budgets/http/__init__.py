"""The shared web edge: how expected errors become HTTP answers, and views that are truly async.

Knows no tenant and no model. The only table of HTTP statuses in the project is here.
"""
