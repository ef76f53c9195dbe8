"""The names of librdkafka's properties: which clients have them, and which of them operators may not set.

A test compares the names with the installed librdkafka. A name that only a newer librdkafka knows is not refused here.
"""

from __future__ import annotations

from typing import Final

_OF_ALL: Final = """
allow.auto.create.topics api.version.fallback.ms api.version.request api.version.request.timeout.ms bootstrap.servers
broker.address.family broker.address.ttl broker.version.fallback builtin.features client.dns.lookup client.id
client.rack connections.max.idle.ms debug enable.metrics.push enable.random.seed enable.sasl.oauthbearer.unsecure.jwt
enable.ssl.certificate.verification enabled_events https.ca.location https.ca.pem internal.termination.signal
log.connection.close log.queue log.thread.name log_level max.in.flight max.in.flight.requests.per.connection
message.copy.max.bytes message.max.bytes metadata.broker.list metadata.max.age.ms
metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy plugin.library.paths receive.message.max.bytes
reconnect.backoff.jitter.ms reconnect.backoff.max.ms reconnect.backoff.ms retry.backoff.max.ms retry.backoff.ms
sasl.kerberos.keytab sasl.kerberos.kinit.cmd sasl.kerberos.min.time.before.relogin sasl.kerberos.principal
sasl.kerberos.service.name sasl.mechanism sasl.mechanisms sasl.oauthbearer.assertion.algorithm
sasl.oauthbearer.assertion.claim.aud sasl.oauthbearer.assertion.claim.exp.seconds
sasl.oauthbearer.assertion.claim.iss sasl.oauthbearer.assertion.claim.jti.include
sasl.oauthbearer.assertion.claim.nbf.seconds sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.assertion.file
sasl.oauthbearer.assertion.jwt.template.file sasl.oauthbearer.assertion.private.key.file
sasl.oauthbearer.assertion.private.key.passphrase sasl.oauthbearer.assertion.private.key.pem
sasl.oauthbearer.client.credentials.client.id sasl.oauthbearer.client.credentials.client.secret
sasl.oauthbearer.client.id sasl.oauthbearer.client.secret sasl.oauthbearer.config sasl.oauthbearer.extensions
sasl.oauthbearer.grant.type sasl.oauthbearer.metadata.authentication.type sasl.oauthbearer.method
sasl.oauthbearer.scope sasl.oauthbearer.sub.claim.name sasl.oauthbearer.token.endpoint.url sasl.password
sasl.username security.protocol socket.blocking.max.ms socket.connection.setup.timeout.ms socket.keepalive.enable
socket.max.fails socket.nagle.disable socket.receive.buffer.bytes socket.send.buffer.bytes socket.timeout.ms
ssl.ca.certificate.stores ssl.ca.location ssl.ca.pem ssl.certificate.location ssl.certificate.pem ssl.cipher.suites
ssl.crl.location ssl.curves.list ssl.endpoint.identification.algorithm ssl.engine.id ssl.engine.location
ssl.key.location ssl.key.password ssl.key.pem ssl.keystore.location ssl.keystore.password ssl.providers
ssl.sigalgs.list statistics.interval.ms topic.blacklist topic.metadata.propagation.max.ms
topic.metadata.refresh.fast.cnt topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.interval.ms
topic.metadata.refresh.sparse
"""
_OF_CONSUMERS: Final = """
auto.commit.enable auto.commit.interval.ms auto.offset.reset check.crcs consume.callback.max.messages
coordinator.query.interval.ms enable.auto.commit enable.auto.offset.store enable.partition.eof fetch.error.backoff.ms
fetch.max.bytes fetch.message.max.bytes fetch.min.bytes fetch.queue.backoff.ms fetch.wait.max.ms group.id
group.instance.id group.protocol group.protocol.type group.remote.assignor heartbeat.interval.ms isolation.level
max.partition.fetch.bytes max.poll.interval.ms max.poll.records offset.store.method offset.store.path
offset.store.sync.interval.ms partition.assignment.strategy queued.max.messages.kbytes queued.min.messages
session.timeout.ms share.acknowledgement.mode
"""
_OF_PRODUCERS: Final = """
acks batch.num.messages batch.size compression.codec compression.level compression.type delivery.report.only.error
delivery.timeout.ms enable.gapless.guarantee enable.idempotence linger.ms message.send.max.retries message.timeout.ms
partitioner produce.offset.report queue.buffering.backpressure.threshold queue.buffering.max.kbytes
queue.buffering.max.messages queue.buffering.max.ms queuing.strategy request.required.acks request.timeout.ms retries
sticky.partitioning.linger.ms transaction.timeout.ms transactional.id
"""
CONSUMER_NAMES: Final = frozenset(_OF_CONSUMERS.split())
PRODUCER_NAMES: Final = frozenset(_OF_PRODUCERS.split())
ALL_NAMES: Final = frozenset(_OF_ALL.split()) | CONSUMER_NAMES | PRODUCER_NAMES

PREFERRED_NAMES: Final = {
    "auto.commit.enable": "enable.auto.commit",
    "compression.codec": "compression.type",
    "fetch.message.max.bytes": "max.partition.fetch.bytes",
    "max.in.flight.requests.per.connection": "max.in.flight",
    "message.send.max.retries": "retries",
    "message.timeout.ms": "delivery.timeout.ms",
    "metadata.broker.list": "bootstrap.servers",
    "queue.buffering.max.ms": "linger.ms",
    "request.required.acks": "acks",
    "sasl.mechanisms": "sasl.mechanism",
    "sasl.oauthbearer.client.credentials.client.id": "sasl.oauthbearer.client.id",
    "sasl.oauthbearer.client.credentials.client.secret": "sasl.oauthbearer.client.secret",
}
"""Alias -> the name under which we compare and pass on the property."""

_NO_SKIPPING: Final = "a consumer that skips or repeats records would break the guarantees"
_IDEMPOTENT: Final = "every producer is idempotent, so that no record is lost or written twice"
_COMMITS: Final = "each process commits offsets itself, together with its results"
_MEMBERSHIP: Final = "agents and executors rely on cooperative rebalancing of dynamic members"
_TIMEOUT: Final = "set TRIGGERS_SESSION_TIMEOUT_S, or TRIGGERS_CELERY_SESSION_TIMEOUT_S for executors"
_PUBLISHING: Final = "set TRIGGERS_PUBLISH_TIMEOUT_S"

REFUSED_NAMES: Final = {
    "acks": _IDEMPOTENT,
    "allow.auto.create.topics": "topics are created by `triggers topics create` only",
    "auto.commit.interval.ms": _COMMITS,
    "auto.offset.reset": _NO_SKIPPING,
    "bootstrap.servers": "set TRIGGERS_BROKERS",
    "builtin.features": "it describes how librdkafka was built",
    "check.crcs": _NO_SKIPPING,
    "client.id": "a worker's client id has the URL under which other processes read its sessions",
    "consume.callback.max.messages": "no client has such a callback",
    "delivery.report.only.error": "each process waits for its acknowledgements",
    "delivery.timeout.ms": _PUBLISHING,
    "enable.auto.commit": _COMMITS,
    "enable.auto.offset.store": _COMMITS,
    "enable.gapless.guarantee": _IDEMPOTENT,
    "enable.idempotence": _IDEMPOTENT,
    "enable.partition.eof": "readers stop at the end of a partition",
    "enabled_events": "it is for programs that handle librdkafka's events themselves",
    "group.id": "consumer groups are named after TRIGGERS_NAMESPACE",
    "group.instance.id": _MEMBERSHIP,
    "group.protocol": _MEMBERSHIP,
    "group.protocol.type": _MEMBERSHIP,
    "group.remote.assignor": _MEMBERSHIP,
    "heartbeat.interval.ms": _TIMEOUT,
    "isolation.level": "consumers read committed records only, because workers write in transactions",
    "log.queue": "it is for programs that handle librdkafka's log themselves",
    "max.in.flight": _IDEMPOTENT,
    "message.max.bytes": "set TRIGGERS_MAX_PAYLOAD_BYTES; workers also read the limits of the topics",
    "offset.store.method": _COMMITS,
    "offset.store.path": _COMMITS,
    "offset.store.sync.interval.ms": _COMMITS,
    "partition.assignment.strategy": _MEMBERSHIP,
    "partitioner": "the partition of a session is decided by the murmur2 hash of its UID",
    "produce.offset.report": "workers need the offsets of their rows",
    "queuing.strategy": _IDEMPOTENT,
    "retries": _IDEMPOTENT,
    "session.timeout.ms": _TIMEOUT,
    "share.acknowledgement.mode": "no process is a member of a share group",
    "topic.blacklist": "a client that ignores topics would take them for missing",
    "transaction.timeout.ms": "set TRIGGERS_TRANSACTION_TIMEOUT_S",
    "transactional.id": "transactional ids are named after TRIGGERS_NAMESPACE and TRIGGERS_WORKER_ID",
}
"""Property -> why only we set it, or what to set instead."""

JAVA_NAMES: Final = {
    "sasl.jaas.config": "sasl.username and sasl.password",
    "sasl.login.callback.handler.class": "sasl.oauthbearer.method=oidc, or the mechanism AWS_MSK_IAM",
    "sasl.client.callback.handler.class": "the mechanism AWS_MSK_IAM",
    "sasl.oauthbearer.token.endpoint": "sasl.oauthbearer.token.endpoint.url",
    "ssl.truststore.location": "ssl.ca.location, a file in PEM format",
    "ssl.truststore.certificates": "ssl.ca.pem",
    "ssl.truststore.password": "ssl.ca.location, which needs no password",
    "ssl.truststore.type": "ssl.ca.location, a file in PEM format",
    "ssl.keystore.key": "ssl.key.pem",
    "ssl.keystore.certificate.chain": "ssl.certificate.pem",
    "ssl.keystore.type": "ssl.keystore.location, a file in PKCS#12 format",
    "ssl.protocol": "ssl.cipher.suites",
    "ssl.enabled.protocols": "ssl.cipher.suites",
    "max.poll.records": "TRIGGERS_MAX_BATCH_RECORDS",
    "max.request.size": "TRIGGERS_MAX_PAYLOAD_BYTES",
    "max.block.ms": "TRIGGERS_PUBLISH_TIMEOUT_S",
    "buffer.memory": "producer.queue.buffering.max.kbytes",
    "fetch.max.wait.ms": "consumer.fetch.wait.max.ms",
    "metadata.max.idle.ms": "topic.metadata.refresh.interval.ms",
}
"""Properties of Java's clients -> what does the same here."""
