"""Being told in time, once, and why: rules, alerts, channels and deliveries.

Promises one alert per rule, subject, window and threshold, however often and by however many
workers it is looked for, and that its message arrives at least once, under one id. Reads balances
and the journal, and locks neither. Refuses to guess what only tracking knows: that is handed in.
"""
