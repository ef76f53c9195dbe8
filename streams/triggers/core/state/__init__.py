"""A session's state: its header, its rows, and its working copy."""
