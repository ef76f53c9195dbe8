"""Metrics, spans and logs, for operators."""
