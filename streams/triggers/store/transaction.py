"""Commits each batch as one Kafka transaction. Every method but `use_options` runs on the worker's one Kafka thread."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from triggers.kafka.bounded_call import CallHung, call_within
from triggers.kafka.connection import Options
from triggers.kafka.consumer_errors import hint_of_denial
from triggers.kafka.error_codes import ALREADY_ABORTED, FENCING, NO_TRANSACTION, TOO_LARGE
from triggers.kafka.followed_password import NOT_FOLLOWED, FollowedPassword
from triggers.kafka.patience import Patience
from triggers.kafka.repeated_calls import repeat_while_retriable
from triggers.process.exits import ExitCode, Stop
from triggers.store.batch import Batch
from triggers.store.transaction_records import OnDelivery, send_outputs, send_rows

log = structlog.get_logger(__name__)


class Aborted(Exception):
    """The batch is dropped, because its transaction was aborted or must not begin. Its records must be read again."""


class TooLargeForTopic(Aborted):
    """A broker refused a record, or a batch of records, as larger than its topic accepts."""

    def __init__(self, error: KafkaError, batch: Batch) -> None:
        super().__init__(error.name())
        self.detail = error.str()
        """librdkafka's message, which names the partition."""
        self.batch = batch


class Transactions:
    """The worker's transactional producer.

    librdkafka caches the group's coordinator. After a restart of that broker, `send_offsets_to_transaction` may wait
    for a connection that no longer exists, regardless of its timeout (librdkafka issues 5511 and 5456). So a producer
    that has lost a connection is replaced before the next transaction. A producer that hangs is abandoned, and the new
    one fences it.
    """

    def __init__(
        self,
        options: Options,
        *,
        source: str,
        changelog: str,
        patience: Patience,
        password: FollowedPassword = NOT_FOLLOWED,
    ) -> None:
        self._options = {**options, "error_cb": self._on_error}
        self._password = password
        self._producer = Producer(self._options)
        self._lost_broker = False
        self._must_replace = False
        self._hung_producers: list[Producer] = []
        self._source = source
        self._changelog = changelog
        self._patience = patience
        self._worker_id = str(options["client.id"])

    def fence_and_start(self) -> None:
        """Fences earlier producers with this worker's id and aborts their open transaction. Blocks."""
        try:
            repeat_while_retriable(self._producer.init_transactions, self._patience.start_s)
        except KafkaException as error:
            raise _stop("start", error) from error

    def use_options(self, options: Options) -> None:
        """Changes these options, and keeps the others. A new producer takes them over before the next transaction.

        Called in the thread of the event loop, while no transaction is in progress.
        """
        self._options |= options
        self._must_replace = True

    @property
    def has_hung_call(self) -> bool:
        """True if a librdkafka call in this process never returns. The process must then exit without cleaning up."""
        return bool(self._hung_producers)

    def commit(self, batch: Batch, group: object) -> dict[int, int]:
        """Commits the batch. Returns the offset of the last changelog row of every partition with rows.

        Blocks. Retries retriable errors for as long as `Patience` allows. Raises Aborted if the transaction was
        aborted, TooLargeForTopic if a topic's limit is the reason, or Stop if the producer cannot continue.
        """
        self._password.renew(self._producer)
        if self._lost_broker or self._must_replace:
            self._replace_producer()
        reached: dict[int, int] = {}
        is_commit_asked = False
        try:
            self._producer.begin_transaction()
            self._send(batch, reached)
            if batch.offsets:
                self._add_offsets(batch.offsets, group)
            is_commit_asked = True
            repeat_while_retriable(self._producer.commit_transaction, self._patience.commit_s)
        except KafkaException as error:
            self._abort_transaction(error, batch, is_commit_asked=is_commit_asked)
        except CallHung:
            self._hung_producers.append(self._producer)
            self._replace_producer()
            raise Aborted("SEND_OFFSETS_HUNG") from None
        self._producer.poll(0)
        return reached

    def _on_error(self, error: KafkaError) -> None:
        if not self._lost_broker:
            log.warning("the producer lost a broker", error=error.name(), detail=error.str())
        self._lost_broker = True

    def _replace_producer(self) -> None:
        log.info("transactional producer is replaced", hung=len(self._hung_producers))
        self._lost_broker = self._must_replace = False
        self._producer = Producer(self._options)
        self._password.apply(self._producer)
        self.fence_and_start()

    def _send(self, batch: Batch, reached: dict[int, int]) -> None:
        for partition, rows in batch.rows.items():
            send_rows(self._producer, self._changelog, partition, rows, _offset_recorder(reached, partition))
        send_outputs(self._producer, batch.outputs)

    def _add_offsets(self, offsets: Mapping[int, int], group: object) -> None:
        partitions = [TopicPartition(self._source, p, offset, self._worker_id) for p, offset in offsets.items()]
        producer = self._producer
        within_s = self._patience.offsets_s
        call_within(within_s, lambda: producer.send_offsets_to_transaction(partitions, group, within_s / 2))

    def _abort_transaction(self, cause: KafkaException, batch: Batch, *, is_commit_asked: bool) -> None:
        """Aborts the transaction and raises Aborted, or Stop if the producer cannot continue.

        If the request that opens a transaction at its coordinator is lost, librdkafka cannot know that. It then ends a
        transaction that the coordinator does not have, and takes the refusal as fatal (`rd_kafka_txn_handle_EndTxn`).
        A new producer aborts whatever is open, and fences the old one. This is not done after a commit was asked for,
        because the refusal may then mean that the transaction is committed.
        """
        error = _error(cause)
        if error.fatal() or not (error.txn_requires_abort() or error.retriable() or error.code() in ALREADY_ABORTED):
            raise _stop("commit", cause) from cause
        if error.code() in ALREADY_ABORTED:
            error = self._find_first_error(error)
        log.warning("transaction aborted", reason=error.name(), detail=error.str())
        try:
            repeat_while_retriable(self._producer.abort_transaction, self._patience.abort_s)
        except KafkaException as refused:
            if is_commit_asked or _error(refused).code() != NO_TRANSACTION:
                raise _stop("abort", refused) from refused
            self._replace_producer()
        if error.code() in TOO_LARGE:
            self._must_replace = True  # its sequence numbers include the refused records
            raise TooLargeForTopic(error, batch) from cause
        raise Aborted(error.name()) from cause

    def _find_first_error(self, later: KafkaError) -> KafkaError:
        """Returns the error after which the transaction must be aborted. Later calls fail without saying why.

        To begin a transaction in the middle of one is always refused, here with the first error.
        """
        try:
            self._producer.begin_transaction()
        except KafkaException as refused:
            return _error(refused)
        return later


def _offset_recorder(reached: dict[int, int], partition: int) -> OnDelivery:
    def record_offset(error: KafkaError | None, message: Message) -> None:
        offset = message.offset()
        if error is None and offset is not None:
            reached[partition] = offset

    return record_offset


def _error(exception: KafkaException) -> KafkaError:
    error = exception.args[0]
    if not isinstance(error, KafkaError):  # confluent-kafka always passes a KafkaError
        raise exception
    return error


def _stop(action: str, exception: KafkaException) -> Stop:
    error = _error(exception)
    code = ExitCode.FENCED if error.code() in FENCING else ExitCode.BROKER
    return Stop(code, f"cannot {action} a transaction: {error.name()}: {error.str()}{hint_of_denial(error)}")
