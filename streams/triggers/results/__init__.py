"""Hop 8, result: what became of a run, as the event that says so. No Kafka and no Celery."""
