"""Hop 5, store: one thread polls, commits each batch as one Kafka transaction, and follows rebalances."""
