"""The console: sessions and analyses in a browser and over HTTP. It only reads and cannot publish anything."""

from triggers.console.server import application, serve
from triggers.console.sources import FileSource, KafkaSource, Source

__all__ = ["FileSource", "KafkaSource", "Source", "application", "serve"]
