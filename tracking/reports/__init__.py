"""Scheduled reports: what was spent on a day, in a week or in a month, sent by itself.

Owns who gets which report when, and what it says. Promises that each period is told once, whatever
crashes, that a report shows its reader no more than the spending page would, and that whoever gets
one can end it. Leaves sending to the outbox of alerts, which tries again until it has arrived.
"""
