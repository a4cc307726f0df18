"""What is kept of changes, and how it is shown."""
