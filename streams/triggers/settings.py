"""Everything that can be set: `Settings.from_env()` reads `TRIGGERS_*`; nothing else reads the environment."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

from triggers.errors import SettingsError

PREFIX = "TRIGGERS_"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of every process. The unit is in the name; a field `x_y` is read from `TRIGGERS_X_Y`."""

    brokers: str = "localhost:9092"
    """Kafka bootstrap servers, comma-separated `host:port`."""
    namespace: str = "triggers"
    """Prefix of all topics, consumer groups and transactional ids of one installation."""
    partitions: int = 8
    """Partitions of the events topic when `topics create` makes it. A launch-time decision: it cannot grow later."""
    replication_factor: int = 1
    """Replicas of every topic that `topics create` makes; 3 in production."""

    worker_id: str = ""
    """Stable name of a worker's slot, unique in the namespace; empty: `<host>-<slot>`. A restart under the same name
    aborts at once what its predecessor left open."""
    data_dir: Path = Path(".triggers")
    """Directory of the RocksDB files; every worker slot uses a folder of its own in it."""
    web_host: str = "127.0.0.1"
    """Interface of the worker's HTTP server."""
    web_port: int = 6066
    """Port of the first slot's HTTP server (slot n listens on web_port + n); 0: a free one."""
    advertised_url: str = ""
    """URL under which other machines reach this worker's HTTP server; empty: `http://<web_host>:<port>`."""

    max_batch_records: int = 4000
    """Most records of one transaction: larger is more throughput, smaller is less latency under load."""
    idle_poll_s: float = 0.1
    """How long a poll waits for a first record."""
    session_timeout_s: float = 6.0
    """After how long without a heartbeat a worker's partitions go to another; brokers accept no less than 6 s unless
    `group.min.session.timeout.ms` says so."""
    transaction_timeout_s: float = 45.0
    """How long a broker restart may take before an open transaction is given up."""
    cached_sessions: int = 10_000
    """Decoded sessions a worker keeps in memory."""
    max_payload_bytes: int = 900_000
    """Largest kwargs, result or configuration of one event: the API refuses larger ones, a worker dead-letters them."""

    decisions: bool = False
    """Publish what each event did to `<ns>.decisions`, for hooks and audits. The topic must be there:
    `triggers topics create` makes it when this is set."""

    schema_registry_url: str = ""
    """Confluent schema registry for events in Confluent framing, `http://host:port` or `https://user:password@host`;
    empty: such events are dead-lettered. Workers ask it, and whatever reads events: explain, export, the console."""

    celery_session_timeout_s: float = 15.0
    """How long a killed Celery worker's partitions of the commands topic stand still."""
    celery_prefetch: int = 2000
    """Commands a Celery worker process holds in memory."""
    celery_max_deliveries: int = 3
    """A task that takes its whole worker down this often is reported as failed."""

    hook_attempts: int = 5
    """How often a hook that raises is run before its decision goes to the dead letters."""

    publish_timeout_s: float = 30.0
    """How long `fire()` waits for the broker's acknowledgement before it raises `BrokerUnavailable`."""
    read_timeout_s: float = 10.0
    """How long a read waits for the worker that owns the session before it raises `OwnerUnavailable`."""

    log_format: str = "console"
    """`console` for people, `json` for machines."""
    log_level: str = "INFO"
    """Least severe level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
        """Settings from `TRIGGERS_*`; an override that is None counts as absent.

        Raises SettingsError that names the variable.
        """
        environ = os.environ if environ is None else environ
        found = {f: environ[PREFIX + f.upper()] for f in cls.__struct_fields__ if PREFIX + f.upper() in environ}
        given = {name: value for name, value in overrides.items() if value is not None}
        try:
            return msgspec.convert(found | given, cls, strict=False, dec_hook=_decode)
        except msgspec.ValidationError as error:
            raise SettingsError(_explain(error, found | given)) from error

    def worker(self, slot: int) -> str:
        """The stable id of a worker slot of this machine."""
        return self.worker_id or f"{socket.gethostname()}-{slot}"


def cache_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where downloads are kept between runs: `$XDG_CACHE_HOME/kafka-triggers`, by default below `~/.cache`."""
    environ = os.environ if environ is None else environ
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kafka-triggers"


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)


def _explain(error: msgspec.ValidationError, values: Mapping[str, object]) -> str:
    """Name the variable, its value and what it must be."""
    what, _, where = str(error).partition(" - at `$.")
    field = where.rstrip("`")
    wanted = what.replace("Expected `", "a value of the type `").replace(", got `str`", "")
    return f"{PREFIX}{field.upper()} is {values[field]!r}, it must be {wanted}" if field in values else what
