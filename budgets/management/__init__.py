"""Commands of people and money."""
