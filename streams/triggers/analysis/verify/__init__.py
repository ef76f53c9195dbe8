"""Capsules and recorded histories, replayed through this engine."""
