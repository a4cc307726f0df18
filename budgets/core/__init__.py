"""The shared kernel: money, time, expected errors and SQL files. Knows no model and no Django app."""
