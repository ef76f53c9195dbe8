"""Hop 1, client: clients of Kafka and of the workers. Storages, the CLI, the console and Celery workers use them."""

from triggers.client.publisher import KafkaPublisher
from triggers.client.schema_registry import SchemaRegistry
from triggers.client.session_reader import SessionReader
from triggers.client.session_search import SessionSearch
from triggers.kafka.sender import Coordinates

__all__ = ["Coordinates", "KafkaPublisher", "SchemaRegistry", "SessionReader", "SessionSearch"]
