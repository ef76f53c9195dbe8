"""What librdkafka reports about connections becomes one line with the fix."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError

from triggers.errors import AccessDenied, BrokerUnavailable
from triggers.kafka.connection_causes import ConnectionCauses, explain_connection_error
from triggers.settings import Settings

SETTINGS = Settings(brokers="127.0.0.1:1", kafka_security_protocol="SASL_SSL", kafka_sasl_mechanism="SCRAM-SHA-512")
BROKER = "sasl_ssl://kafka:9093/bootstrap"
AUTHENTICATION, SSL, TRANSPORT = KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._TRANSPORT
RESOLVE, DOWN = KafkaError._RESOLVE, KafkaError._ALL_BROKERS_DOWN


EXPLAINED = [
    (
        AUTHENTICATION,
        "SASL authentication error: invalid credentials with SASL mechanism SCRAM-SHA-512 (after 314ms in state X)",
        "the user or the password is wrong (SASL authentication error: invalid credentials with SASL mechanism",
    ),
    (
        AUTHENTICATION,
        "Unsupported SASL mechanism: broker's supported mechanisms: PLAIN (after 1ms in state X, 3 identical error(s))",
        "the brokers do not offer SCRAM-SHA-512, but PLAIN: set TRIGGERS_KAFKA_SASL_MECHANISM",
    ),
    (
        AUTHENTICATION,
        "Failed to acquire SASL OAUTHBEARER token: HTTP 401",
        "there is no token: Failed to acquire SASL OAUTHBEARER token: HTTP 401; check the properties sasl",
    ),
    (
        SSL,
        "SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not",
        "the broker's certificate is refused: it cannot be verified: set TRIGGERS_KAFKA_CA_FILE to",
    ),
    (
        TRANSPORT,
        "SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener? (after 5ms in",
        "the listener does not speak TLS: set TRIGGERS_KAFKA_SECURITY_PROTOCOL to PLAINTEXT or SASL_PLAINTEXT",
    ),
    (
        TRANSPORT,
        "Receive failed: error:0A000412:SSL routines::ssl/tls alert bad certificate: SSL alert number 42",
        "the brokers want another certificate of the client: set TRIGGERS_KAFKA_CERTIFICATE_FILE and",
    ),
]


@pytest.mark.parametrize(("code", "reported", "told"), EXPLAINED)
def test_a_refused_connection_is_explained(code: int, reported: str, told: str) -> None:
    error = explain_connection_error(SETTINGS, KafkaError(code, f"{BROKER}: {reported}"))

    assert isinstance(error, AccessDenied)
    assert str(error).startswith(f"Kafka at 127.0.0.1:1: {told}")


def test_what_librdkafka_says_is_shown_without_addresses_and_durations() -> None:
    reported = (
        f"{BROKER}: SASL authentication error: no (after 314ms in state AUTH_REQ, 3 identical error(s) suppressed)"
    )

    error = explain_connection_error(SETTINGS, KafkaError(AUTHENTICATION, reported))

    assert "is wrong (SASL authentication error: no): check" in str(error)


def test_an_unknown_host_is_no_denial() -> None:
    error = explain_connection_error(
        SETTINGS, KafkaError(RESOLVE, f"{BROKER}: Failed to resolve 'kafka:9093': Name or service not known")
    )

    assert type(error) is BrokerUnavailable
    assert str(error) == "Kafka at 127.0.0.1:1: the host name of 'kafka:9093' is unknown: check TRIGGERS_BROKERS"


def test_a_refused_connection_has_no_special_explanation() -> None:
    refused = KafkaError(TRANSPORT, f"{BROKER}: Connect to ipv4#10.0.0.1:9093 failed: Connection refused")

    assert explain_connection_error(SETTINGS, refused) is None


def test_the_most_informative_error_is_kept() -> None:
    causes = ConnectionCauses(SETTINGS)
    for code, text in (
        (TRANSPORT, "Connect to ipv4#10.0.0.1:9093 failed: Connection refused"),
        (AUTHENTICATION, "SASL authentication error: no"),
        (DOWN, "1/1 brokers are down"),
        (TRANSPORT, "Disconnected"),
    ):
        causes.record(KafkaError(code, f"{BROKER}: {text}"))

    assert "the user or the password is wrong" in str(causes.reported_error())


def test_without_a_report_there_is_no_cause() -> None:
    assert ConnectionCauses(SETTINGS).reported_error() is None
    assert ConnectionCauses(SETTINGS).diagnosed_error() is None
    assert ConnectionCauses(Settings(brokers="127.0.0.1:1")).diagnosed_error() is None
