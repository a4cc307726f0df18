"""The list that Django looks for."""
