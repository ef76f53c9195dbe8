"""Hop 5, store: one thread makes every batch one Kafka transaction. It polls, commits and follows rebalances."""
