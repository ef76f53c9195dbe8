"""A whole installation on one machine: a real broker, the stack, the demo. Nothing here runs in production."""
