"""How applications, the CLI and Celery workers reach Kafka and the workers. `storages` is what a manager talks to."""

from triggers.client.kafka_publisher import KafkaPublisher
from triggers.client.kafka_sender import Coordinates
from triggers.client.schema_registry import SchemaRegistry
from triggers.client.session_reader import SessionReader

__all__ = ["Coordinates", "KafkaPublisher", "SchemaRegistry", "SessionReader"]
