"""Explains why a session is in its state, and what each event did."""
