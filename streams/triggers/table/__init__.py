"""Hop 5, store: the rows of a partition in RocksDB, and how they are restored from the changelog."""
