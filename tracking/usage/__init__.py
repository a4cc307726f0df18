"""What calls add up to: money and tokens by day, model and person, and the list of calls.

Owns every figure about past use. Promises that all figures of one answer are of one snapshot, so
that rows add up to their total to the last digit, and that money is what the journal says.
Refuses to guess: tokens that nobody recorded are not counted.
"""
