"""The console: sessions and analyses in a browser and over HTTP. It only reads and cannot publish anything."""

from triggers.extras import explain_missing

try:
    from triggers.console.installation import InstallationReader, KafkaInstallation
    from triggers.console.server import application, serve
    from triggers.console.sources import FileSource, KafkaSource, Source
except ModuleNotFoundError as error:
    raise explain_missing(error, "triggers console", "console") from error

__all__ = ["FileSource", "InstallationReader", "KafkaInstallation", "KafkaSource", "Source", "application", "serve"]
