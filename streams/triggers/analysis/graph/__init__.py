"""Draws rules and sessions: what runs after what, and what caused each run."""
