"""A whole installation on one machine: a real broker, all processes, the demo. It is not for production."""
