"""Counts what rules and triggers did in many sessions."""
