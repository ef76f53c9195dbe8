# ruff: noqa: SLF001  # librdkafka's own error codes are public, although their names begin with an underscore
"""Sets of error codes of Kafka and librdkafka, by what a client does about them."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError

PARTITION_EOF: Final = KafkaError._PARTITION_EOF
TIMED_OUT: Final = KafkaError._TIMED_OUT
MESSAGE_TIMED_OUT: Final = KafkaError._MSG_TIMED_OUT
ALL_BROKERS_DOWN: Final = KafkaError._ALL_BROKERS_DOWN
NO_SUCH_OFFSET: Final = frozenset({KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE})
"""The offset to read from is not in the log, and `auto.offset.reset=error` forbids choosing another one."""
NO_TOPIC: Final = frozenset({KafkaError._UNKNOWN_TOPIC, KafkaError.UNKNOWN_TOPIC_OR_PART})
"""The topic does not exist, or the broker does not know it yet."""
TOO_LARGE: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE})
"""The record is larger than the client or the topic accepts."""
NOT_PERMITTED: Final = frozenset(
    {
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
)
"""The access control lists of the brokers do not permit the operation."""
AUTHENTICATION: Final = KafkaError._AUTHENTICATION
SSL: Final = KafkaError._SSL
NO_CONNECTION: Final = (AUTHENTICATION, SSL, KafkaError._RESOLVE, KafkaError._TRANSPORT)
"""Why there is no connection, the most informative code first."""
ELECTING: Final = frozenset(
    {
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)
"""A leader or a coordinator is being elected, because a topic or group is new or a broker left the cluster, or the
client or the broker has not heard of the outcome yet."""
FENCING: Final = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.FENCED_INSTANCE_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
    }
)
"""Another process uses the same transactional id."""
NO_TRANSACTION: Final = KafkaError.INVALID_TXN_STATE
"""The transaction coordinator has no open transaction of the producer."""
ALREADY_ABORTED: Final = frozenset({KafkaError._STATE, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
"""The transaction is already lost, so the client refuses to produce into it."""
_TRANSIENT: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._MAX_POLL_EXCEEDED,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._WAIT_COORD,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)


def is_transient(error: KafkaError) -> bool:
    """Returns whether a consumer continues after `poll` has returned this error, without skipping records.

    librdkafka continues after a batch that it cannot read (`_BAD_MSG`, `_NOT_IMPLEMENTED`). It stops before a batch
    with another error (`_BAD_COMPRESSION`, MSG_SIZE_TOO_LARGE), and where it may not read (TOPIC_AUTHORIZATION_FAILED).
    It reports each of these only once, so every code that is not known to be transient must end the reading.
    `error.retriable()` does not help, because librdkafka sets it for transactions only.
    """
    return not error.fatal() and error.code() in _TRANSIENT
