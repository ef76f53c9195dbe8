"""Hop 8: the events that report the result of a run. It uses neither Kafka nor Celery."""
