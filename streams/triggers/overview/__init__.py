"""The present state of an installation: asks the workers and Kafka at once, and says what did not answer."""
