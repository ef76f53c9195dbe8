"""Hop 3, agent: one thread polls batches, commits each with its transaction, and follows rebalances."""
