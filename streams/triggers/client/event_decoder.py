"""The decoder of `<ns>.events`, as the settings say."""

from __future__ import annotations

from triggers.client.schema_registry import SchemaRegistry
from triggers.codec import EventDecoder
from triggers.settings import Settings


def event_decoder(settings: Settings) -> EventDecoder:
    """Asks the settings' schema registry, if there is one. Raises SettingsError for a URL that is none."""
    url = settings.schema_registry_url
    return EventDecoder(settings.max_payload_bytes, SchemaRegistry(url) if url else None)
