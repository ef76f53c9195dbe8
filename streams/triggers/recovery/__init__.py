"""Rebuilds an installation from its events: its changelog, or a whole copy on other partitions or another cluster."""
