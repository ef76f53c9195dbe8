"""Hooks: runs the hooks of managers for the decisions of workers."""
