"""Hop 7, run: what surrounds one run of a task."""
