"""Files of past use: calls and grouped figures as CSV, XLSX, JSON Lines and FOCUS columns.

Owns what such a file holds and how it comes to whoever asked: at once when it is small, built by a
worker when it is not. Promises that the rows of a file add up to the page to the last digit, that a
file is of one instant and never half done, and that text in it runs in no spreadsheet. Refuses to
show what its maker may not see any more.
"""
