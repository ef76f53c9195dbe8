"""What an installation does now: asks the workers and Kafka at once, and says what did not answer."""
