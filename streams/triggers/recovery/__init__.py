"""Rebuilds an installation from its events: its changelog, or all of it under another name, number or cluster."""
