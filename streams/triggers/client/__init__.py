"""What an application, the CLI and the Celery workers use to reach Kafka and the workers."""

from triggers.client.kafka_publisher import KafkaPublisher
from triggers.client.kafka_sender import Coordinates
from triggers.client.schema_registry import SchemaRegistry
from triggers.client.session_reader import SessionReader

__all__ = ["Coordinates", "KafkaPublisher", "SchemaRegistry", "SessionReader"]
