"""The console: sessions, analyses and repairs in a browser. It changes sessions only as the HTTP API does."""

from triggers.extras import explain_missing, require_extras

require_extras("triggers console", "console")  # it stands on the API, which would name another extra
try:
    from triggers.api import authentication_of
    from triggers.console.access import Access
    from triggers.console.server import application, serve
    from triggers.console.signed_logins import read_secret
    from triggers.console.sources import FileSource, KafkaSource, Source
except ModuleNotFoundError as error:
    raise explain_missing(error, "triggers console", "console") from error

__all__ = [
    "Access", "FileSource", "KafkaSource", "Source", "application",
    "authentication_of", "read_secret", "serve",
]  # fmt: skip
