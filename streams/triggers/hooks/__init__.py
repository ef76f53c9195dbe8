"""Runs the hooks of managers for decisions that were made in another process."""
