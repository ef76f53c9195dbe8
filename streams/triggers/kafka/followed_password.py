"""`FollowedPassword`: lets a client that lives for months use a password that has changed meanwhile."""

from __future__ import annotations

import logging
import time
from typing import Final

from confluent_kafka import Consumer, Producer

from triggers.errors import SettingsError
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.operator_properties import operator_properties
from triggers.settings import Settings

_LOOKED_EVERY_S: Final = 5.0
_USER, _PASSWORD, _MECHANISM = "sasl.username", "sasl.password", "sasl.mechanism"
_WITH_PASSWORD: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

log = logging.getLogger(__name__)


class FollowedPassword:
    """Reads the user and the password of the settings' files again, and gives a client those that have changed.

    It does not reconnect, so nothing is interrupted. Not thread-safe. It does nothing if the settings name
    no file, and for OAUTHBEARER and certificates, which librdkafka does not let change.
    """

    def __init__(self, settings: Settings, kind: ClientKind) -> None:
        """Create it before the client, which then has the same password or a newer one."""
        self._settings = settings
        self._kind = kind
        self._is_on = bool(settings.kafka_password_file or settings.kafka_config_file)
        self._known = self._first = self._read() if self._is_on else None
        self._looked_at = time.monotonic()

    def renew(self, client: Consumer | Producer) -> None:
        """Gives the client the password if it has changed. Call it often: it looks at the files every five seconds."""
        if not self._is_on or time.monotonic() - self._looked_at < _LOOKED_EVERY_S:
            return
        self._looked_at = time.monotonic()
        credentials = self._read()
        if credentials is not None and credentials != self._known:
            client.set_sasl_credentials(*credentials)
            self._known = credentials
            log.warning("the password of Kafka's user %s has changed; new connections use it", credentials[0])

    def apply(self, client: Consumer | Producer) -> None:
        """Gives the password to a client that was made with the options of an earlier one, if it has changed since."""
        if self._known is not None and self._known != self._first:
            client.set_sasl_credentials(*self._known)

    def _read(self) -> tuple[str, str] | None:
        """Returns user and password, or None if there are none now, for example because a file is being replaced."""
        try:
            properties = operator_properties(self._settings, self._kind)
        except SettingsError as error:
            log.warning("the password of Kafka's user cannot be read again: %s", error)
            return None
        if properties.get(_MECHANISM) not in _WITH_PASSWORD:
            return None
        return str(properties.get(_USER, "")), str(properties.get(_PASSWORD, ""))


NOT_FOLLOWED: Final = FollowedPassword(Settings(), ClientKind.CONSUMER)
"""Does nothing, for clients whose settings have no password."""
