"""What stands in for the outside world: the only fakes there are."""
