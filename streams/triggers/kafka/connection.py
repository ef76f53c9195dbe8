"""Options, admin client and error that all Kafka clients of this package share."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from triggers.errors import AccessDenied, BrokerUnavailable
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.error_codes import NOT_PERMITTED
from triggers.kafka.msk_iam import TokenCallback
from triggers.kafka.operator_properties import operator_properties
from triggers.redaction import without_secrets
from triggers.settings import Settings

Options = dict[str, str | int | float | bool | TokenCallback]


def client_options(settings: Settings, kind: ClientKind, ours: Options) -> Options:
    """Returns the options of a client. What operators set takes precedence over `ours`.

    They cannot set what the guarantees depend on, because that is refused. librdkafka's log is disabled, because errors
    are raised. Raises SettingsError for wrong properties.
    """
    base: Options = {"bootstrap.servers": settings.brokers, "log.connection.close": False, "log_level": 0}
    return base | ours | operator_properties(settings, kind)


def admin_client(
    settings: Settings, ours: Options | None = None, on_error: Callable[[KafkaError], None] = lambda _: None
) -> AdminClient:
    """Returns a client that describes topics and consumer groups. It connects in the background.

    `on_error` is called with connection errors when the client is polled. Raises SettingsError for wrong properties.
    """
    options = client_options(settings, ClientKind.ADMIN, ours or {})
    return AdminClient({}, error_cb=on_error, **options)  # as keywords, because the dictionary's type has no callbacks


def unavailable(settings: Settings, error: KafkaException | KafkaError, needed: str = "") -> BrokerUnavailable:
    """Returns the error to raise for an error of librdkafka. Its message names the brokers, without passwords.

    `needed` is the permission that the failed call needs, such as `Create on topic t.events`, if it needs only one.
    """
    cause = error.args[0] if isinstance(error, KafkaException) else error
    if needed and cause.code() in NOT_PERMITTED:
        fix = "`triggers topics acls --process PROCESS` prints what a process needs"
        return AccessDenied(f"Kafka at {settings.shown_brokers} does not permit {needed}: {fix}")
    where = f"Kafka at {settings.shown_brokers}: {without_secrets(cause.str())}"
    if cause.code() in NOT_PERMITTED:
        return AccessDenied(f"{where}: `triggers doctor --process PROCESS` names the missing ACL")
    return BrokerUnavailable(where)
