"""Hop 8, results: the events that report the result of a run. It uses neither Kafka nor Celery."""
