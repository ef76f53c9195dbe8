"""The console: sessions and analyses in a browser and over HTTP. It only reads and cannot publish anything."""

from triggers.console.file_source import FileSource
from triggers.console.kafka_source import KafkaSource
from triggers.console.server import application, serve
from triggers.console.source import Source

__all__ = ["FileSource", "KafkaSource", "Source", "application", "serve"]
