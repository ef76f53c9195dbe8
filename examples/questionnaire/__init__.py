"""A questionnaire application: the example of the Triggers framework's guide, on Kafka."""
