"""Checks librdkafka, the connection and the brokers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import confluent_kafka
from confluent_kafka import KafkaException

from triggers.doctor.findings import DoctorVerdict, Finding
from triggers.errors import SettingsError
from triggers.kafka.api_versions import (
    FETCH,
    TXN_OFFSET_COMMIT,
    fetch_api_versions,
)
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import admin_client, unavailable
from triggers.kafka.operator_properties import check_properties, operator_properties
from triggers.kafka.reachability import check_reachable
from triggers.settings import Settings

_OLDEST_CLIENT: Final = 0x02100000
"""librdkafka 2.16, in the encoding of `libversion()`."""
_TIMEOUT_S: Final = 10.0
_FENCING_BY_GROUP: Final = 3
"""Version of TxnOffsetCommit with the group's generation, which fences a worker that has lost its partitions."""
_OF_KAFKA_4: Final = 4
"""Oldest version of Fetch since Kafka 4.0, which has removed the older ones."""


def check_client(settings: Settings) -> Iterator[Finding]:
    """Checks the installed librdkafka and the properties that operators have set. Connects to nothing."""
    name, number = confluent_kafka.libversion()
    if number < _OLDEST_CLIENT:
        yield Finding("librdkafka", DoctorVerdict.PROBLEM, f"is {name}", "pip install 'confluent-kafka>=2.16'")
    else:
        yield Finding("librdkafka", DoctorVerdict.OK, f"is {name}")
    try:
        check_properties(settings)
    except SettingsError as error:
        yield Finding("settings", DoctorVerdict.PROBLEM, str(error))


def check_connection(settings: Settings) -> Iterator[Finding]:
    """Checks that a broker answers. Raises BrokerUnavailable and AccessDenied, which say why it does not. Blocks."""
    check_reachable(settings)
    protocol = operator_properties(settings, ClientKind.ADMIN).get("security.protocol", "PLAINTEXT")
    yield Finding("connection", DoctorVerdict.OK, f"Kafka answers at {settings.shown_brokers} ({protocol})")


def check_brokers(settings: Settings) -> Iterator[Finding]:
    """Checks the version of the first broker and the number of brokers. Blocks."""
    yield _version(settings)
    admin = admin_client(settings)
    try:
        count = len(admin.list_topics(timeout=_TIMEOUT_S).brokers)
    except KafkaException as error:
        raise unavailable(settings, error) from error
    if count < settings.replication_factor:
        fix = "add brokers, or set TRIGGERS_REPLICATION_FACTOR"
        yield Finding(
            "brokers", DoctorVerdict.PROBLEM, f"{count}, fewer than {settings.replication_factor} replicas", fix
        )
    elif count < 3:  # three is what the docs recommend
        yield Finding(
            "brokers", DoctorVerdict.WARNING, f"{count}: too few to survive a lost disk", "use three in production"
        )
    else:
        yield Finding("brokers", DoctorVerdict.OK, f"{count}")


def _version(settings: Settings) -> Finding:
    versions = fetch_api_versions(settings)
    if versions is None:
        return Finding("broker version", DoctorVerdict.UNKNOWN, "the broker did not say which versions it supports")
    if versions[TXN_OFFSET_COMMIT].newest < _FENCING_BY_GROUP:
        return Finding(
            "broker version",
            DoctorVerdict.PROBLEM,
            "is older than 2.5: it does not fence workers",
            "upgrade the brokers",
        )
    if versions[FETCH].oldest < _OF_KAFKA_4:
        detail = "is between 2.5 and 3.9; our tests run with 4.1"
        return Finding("broker version", DoctorVerdict.WARNING, detail, "upgrade the brokers to 4.0 or later")
    return Finding("broker version", DoctorVerdict.OK, "is 4.0 or later")
