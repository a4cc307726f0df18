"""What calls add up to: money and tokens by time and by whatever tells calls apart.

Owns every figure about past use, and the rollups that make them quick. Promises that all figures of
one answer are of one snapshot, so that rows add up to their total to the last digit, that money is
what the journal says, and that no figure waits for a worker. Refuses to guess: tokens that nobody
recorded are not counted.
"""
