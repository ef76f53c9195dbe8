"""Compares the agent with other programs in one run on one machine: `make bench`, `make bench-full`."""
