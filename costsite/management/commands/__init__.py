"""One command a file, each as thin as its options."""
