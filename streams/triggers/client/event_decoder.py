"""Creates the decoder of `<ns>.events` from the settings."""

from __future__ import annotations

from triggers.client.schema_registry import SchemaRegistry
from triggers.codec import EventDecoder
from triggers.settings import Settings


def event_decoder(settings: Settings) -> EventDecoder:
    """Returns a decoder that uses the schema registry of the settings, if there is one.

    Raises SettingsError for an invalid URL.
    """
    url = settings.schema_registry_url
    return EventDecoder(settings.max_payload_bytes, SchemaRegistry(url) if url else None)
