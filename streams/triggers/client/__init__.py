"""Clients of Kafka and of the workers. Storages, the CLI, the console and Celery workers use them."""

from triggers.client.kafka_publisher import KafkaPublisher
from triggers.client.kafka_sender import Coordinates
from triggers.client.schema_registry import SchemaRegistry
from triggers.client.session_reader import SessionReader

__all__ = ["Coordinates", "KafkaPublisher", "SchemaRegistry", "SessionReader"]
