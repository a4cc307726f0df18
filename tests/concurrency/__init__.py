"""Races, shown with the guard off and then shut out with it on."""
