"""The kinds of channels, one folder each. A new kind is a new folder and a line in kinds.py."""
