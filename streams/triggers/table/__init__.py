"""Hop 5, store: the rows of a partition in RocksDB, and their restore from the changelog."""
