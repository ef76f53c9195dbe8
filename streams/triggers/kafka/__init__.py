"""What this package knows of Kafka and librdkafka, whichever client asks: what can go missing, and how to prove it."""
