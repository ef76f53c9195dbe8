"""Hop 7: the context in which a task runs."""
