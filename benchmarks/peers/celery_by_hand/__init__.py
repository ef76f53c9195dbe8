"""The rules written by hand with Celery and Redis, as an application does that has no framework for them."""
