"""The house rules that no ready-made tool holds, and proof that each rule bites."""
