"""Hop 3, agent: decides batches of records. In a worker, only this package calls `core.apply`."""
