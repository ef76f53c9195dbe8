"""`ConnectionCauses`: says why no connection to the brokers succeeds, and how to change that.

librdkafka's calls only say that they timed out. It reports the causes to the callback `error_cb`.
"""

from __future__ import annotations

import re
from typing import Final

from confluent_kafka import KafkaError

from triggers.errors import AccessDenied, BrokerUnavailable
from triggers.kafka.error_codes import AUTHENTICATION, NO_CONNECTION
from triggers.kafka.tls_trial import listener_speaks_tls, refusal_of_certificate
from triggers.redaction import without_secrets
from triggers.settings import Settings

_ADDRESS: Final = re.compile(r"^(?:\w+://)?\S+?/(?:bootstrap|\d+): ")
_DURATION: Final = re.compile(r" \(after \d+ms in state \w+(?:, \d+ identical error\(s\) suppressed)?\)$")
_HOST: Final = re.compile(r"Failed to resolve '([^']*)'")
_OFFERED: Final = re.compile(r"supported mechanisms: (\S+)")
_CLIENT_CERTIFICATE: Final = re.compile(r"alert (?:bad certificate|certificate|unknown ca|handshake failure)")
_UNVERIFIED: Final = "it cannot be verified"


class ConnectionCauses:
    """Remembers why connections failed. `record` is the `error_cb` of a client, and may run in any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._worst: KafkaError | None = None

    def record(self, error: KafkaError) -> None:
        """Remembers the error if it says more than the one before."""
        if error.code() in NO_CONNECTION and (self._worst is None or _rank(error) <= _rank(self._worst)):
            self._worst = error

    def reported_error(self) -> BrokerUnavailable | None:
        """Returns the error to raise for what was reported, or None if that says nothing. Does not block."""
        return None if self._worst is None else explain_connection_error(self._settings, self._worst)

    def diagnosed_error(self) -> BrokerUnavailable | None:
        """Returns the same, after a connection that finds out what librdkafka does not report.

        Blocks for some seconds at most.
        """
        reported = self.reported_error()
        if reported is None:
            return _plaintext_error(self._settings)
        if _UNVERIFIED in str(reported) and (reason := refusal_of_certificate(self._settings)):
            return _denied(self._settings, _refused_certificate(reason.rstrip(".")))
        return reported


def explain_connection_error(settings: Settings, error: KafkaError) -> BrokerUnavailable | None:
    """Returns the error to raise for what librdkafka has reported, or None if it only says that no broker is there."""
    detail = without_secrets(_DURATION.sub("", _ADDRESS.sub("", error.str())))
    if error.code() == AUTHENTICATION:
        return _denied(settings, _authentication(settings, detail))
    if (host := _HOST.search(detail)) is not None:
        return BrokerUnavailable(
            f"Kafka at {settings.shown_brokers}: the host name of {host[1]!r} is unknown: check TRIGGERS_BROKERS"
        )
    if "connecting to a PLAINTEXT broker listener" in detail:
        fix = "set TRIGGERS_KAFKA_SECURITY_PROTOCOL to PLAINTEXT or SASL_PLAINTEXT, or TRIGGERS_BROKERS to another port"
        return _denied(settings, f"the listener does not speak TLS: {fix}")
    if _CLIENT_CERTIFICATE.search(detail):
        return _denied(
            settings,
            "the brokers want another certificate of the client: set TRIGGERS_KAFKA_CERTIFICATE_FILE and"
            " TRIGGERS_KAFKA_KEY_FILE to one that their authority has signed",
        )
    if "certificate verify failed" in detail:
        return _denied(settings, _refused_certificate(_UNVERIFIED))
    return None


def _authentication(settings: Settings, detail: str) -> str:
    mechanism = settings.kafka_sasl_mechanism or "the SASL mechanism"
    if (offered := _OFFERED.search(detail)) is not None:
        return f"the brokers do not offer {mechanism}, but {offered[1]}: set TRIGGERS_KAFKA_SASL_MECHANISM"
    if "OAUTHBEARER token" in detail or "oauth" in detail.lower():
        return f"there is no token: {detail}; check the properties sasl.oauthbearer.*"
    fix = "check TRIGGERS_KAFKA_USERNAME and TRIGGERS_KAFKA_PASSWORD, or their files"
    return f"the user or the password is wrong ({detail}): {fix}"


def _refused_certificate(reason: str) -> str:
    fix = "set TRIGGERS_KAFKA_CA_FILE to the certificate of the authority that signed it"
    if "mismatch" in reason.lower() or "not valid for" in reason:
        fix = "set TRIGGERS_BROKERS to a name that is in the certificate"
    return f"the broker's certificate is refused: {reason}: {fix}"


def _plaintext_error(settings: Settings) -> AccessDenied | None:
    """Returns the error if the client does not use TLS and the listener does; librdkafka reports nothing then."""
    if settings.kafka_security_protocol.upper() in {"", "PLAINTEXT", "SASL_PLAINTEXT"} and listener_speaks_tls(
        settings
    ):
        return _denied(
            settings, "the listener speaks TLS only: set TRIGGERS_KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL"
        )
    return None


def _denied(settings: Settings, why: str) -> AccessDenied:
    return AccessDenied(f"Kafka at {settings.shown_brokers}: {why}")


def _rank(error: KafkaError) -> int:
    return NO_CONNECTION.index(error.code())
