"""Hop 7, running: the context in which a task runs."""
