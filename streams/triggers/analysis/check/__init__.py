"""Checks rules before anything runs: which are refused, which cannot work, and which depend on the order of events."""
