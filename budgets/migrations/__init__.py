"""The tables of people and money."""
