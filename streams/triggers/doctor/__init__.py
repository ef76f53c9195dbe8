"""Checks everything that a deployment needs, and says how to fix what is wrong."""
