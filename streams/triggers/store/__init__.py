"""Hop 5, store: a batch becomes one Kafka transaction, and its rows are in RocksDB, restored from the changelog."""
