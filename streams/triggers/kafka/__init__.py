"""Kafka and librdkafka, as all consumers and producers of this package use them: options, reads, and proofs of gaps."""
