"""The tables of models and tokens."""
