"""All settings. `Settings.from_env()` reads the variables `TRIGGERS_*`, and no other module does."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import msgspec

from triggers.errors import SettingsError
from triggers.redaction import shown_value, without_secrets
from triggers.setting_ranges import Count, Port, Rate, Seconds, UpToASecond, describe_accepted

PREFIX = "TRIGGERS_"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a process: of an application, a worker, a Celery worker or a command.

    `from_env` reads a field `x_y` from the variable `TRIGGERS_X_Y`. Units are part of the names.
    """

    brokers: str = "localhost:9092"
    """Kafka bootstrap servers, as comma-separated `host:port`."""
    namespace: str = "triggers"
    """Prefix of all topics, consumer groups and transactional ids of one installation."""

    kafka_security_protocol: str = ""
    """How clients connect to the brokers: PLAINTEXT (the default), SSL, SASL_PLAINTEXT or SASL_SSL."""
    kafka_sasl_mechanism: str = ""
    """Mechanism of the authentication: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or AWS_MSK_IAM."""
    kafka_username: str = ""
    """User of PLAIN and SCRAM, or the client id of OAUTHBEARER."""
    kafka_username_file: str = ""
    """File that contains the user."""
    kafka_password: str = ""
    """Password of the user, or the client secret of OAUTHBEARER. A file is safer than a variable."""
    kafka_password_file: str = ""
    """File that contains the password."""
    kafka_ca_file: str = ""
    """File of the certificates, in PEM format, of the authorities that may sign the brokers' certificates. If empty,
    these are the authorities of the operating system."""
    kafka_certificate_file: str = ""
    """File of the client's certificate in PEM format, for mutual TLS."""
    kafka_key_file: str = ""
    """File of the private key of the client's certificate in PEM format."""
    kafka_key_password: str = ""
    """Password of an encrypted private key."""
    kafka_key_password_file: str = ""
    """File that contains the password of the private key."""
    kafka_aws_region: str = ""
    """AWS region for AWS_MSK_IAM. If empty, it is taken from the name of the brokers."""
    kafka_config_file: str = ""
    """File of further properties of librdkafka, in the syntax of Java's properties (docs/security.md). A property with
    the prefix `consumer.`, `producer.` or `admin.` applies to clients of that kind only."""

    partitions: Count = 8
    """Number of partitions with which `topics create` creates the topics. It cannot be changed later."""
    replication_factor: Count = 1
    """Number of replicas with which `topics create` creates the topics. Use 3 in production."""

    worker_id: str = ""
    """Stable name of a worker's slot, unique in the namespace. If empty, it is `<host>-<slot>`. A worker that restarts
    under the same name immediately aborts the transaction that its predecessor left open."""
    data_dir: Path = Path(".triggers")
    """Folder of the RocksDB files. Every worker slot uses a subfolder."""
    web_host: str = "127.0.0.1"
    """Address on which the worker's HTTP server listens."""
    web_port: Port = 6066
    """Port of the HTTP server of the first slot; slot n listens on this port + n. If 0, a free port is chosen."""
    advertised_url: str = ""
    """URL under which other machines reach this worker's HTTP server. If empty, it is `http://<web_host>:<port>`."""
    read_token: str = ""
    """Secret with which the processes of an installation read sessions from the workers over HTTP. It has at least 16
    characters, and all processes must have the same. A worker that other machines reach answers no reads without it."""
    read_token_file: Path | None = None
    """File with such secrets, one a line, instead of a single one. Each of them is accepted, and the first one is sent,
    so that a secret can be replaced while processes run."""

    max_batch_records: Count = 4000
    """Maximum number of records in one transaction. A larger number increases the throughput, a smaller one reduces the
    latency under load."""
    idle_poll_s: Seconds = 0.1
    """Maximum time for which a poll waits for the first record."""
    transaction_interval_s: UpToASecond = 0.01
    """Minimum time between the beginnings of two transactions, up to 1 s. An event after a quiet time does not wait."""
    transaction_linger_s: UpToASecond = 0.05
    """Maximum time, up to 1 s, for which events that cause no command wait to be committed with later ones."""
    session_timeout_s: Seconds = 6.0
    """Time without a heartbeat after which a worker's partitions are assigned to other workers. Brokers reject values
    below 6 s unless `group.min.session.timeout.ms` is lower."""
    transaction_timeout_s: Seconds = 45.0
    """Time after which brokers abort an open transaction. It limits how long a broker restart may take."""
    cached_sessions: Count = 10_000
    """Maximum number of decoded sessions that a worker keeps in memory."""
    max_payload_bytes: Count = 900_000
    """Maximum size of the kwargs, the result or the configuration of one event. The API refuses larger ones with
    `TooLarge`; a worker dead-letters them."""

    decisions: bool = False
    """If true, every decision is published to `<ns>.decisions`, for hooks and audits. The topic must exist:
    `triggers topics create` creates it if this is set."""

    schema_registry_url: str = ""
    """URL of the Confluent schema registry for events in Confluent framing, such as `http://host:port` or
    `https://user:password@host`. If empty, such events are dead-lettered. Workers use it, and all commands that read
    events: explain, export, the console."""

    queues: str = ""
    """Queues that a Celery worker or the dispatcher takes commands from, as comma-separated names; `@default` stands
    for the commands whose rules name no queue, and is the default. `topics create` creates their topics."""
    celery_session_timeout_s: Seconds = 15.0
    """Time without a heartbeat after which the partitions of a Celery worker are assigned to other Celery workers."""
    celery_prefetch: Count = 2000
    """Maximum number of commands that a Celery worker process keeps in memory."""
    celery_max_deliveries: Count = 3
    """Number of deliveries after which a task that kills its Celery worker every time is reported as failed."""

    hook_attempts: Count = 5
    """Maximum number of times that a failing hook is run before its decision is dead-lettered."""

    api_host: str = "127.0.0.1"
    """Address on which the HTTP API listens. Without tokens, only addresses of this machine are accepted."""
    api_port: Port = 6090
    """Port of the HTTP API. If 0, a free port is chosen."""
    api_token_file: Path = Path()
    """File with the tokens of the HTTP API, one a line, as `triggers api token` writes them. The API reads the file
    again when it changes."""
    api_tokens: str = ""
    """Lines of such a file, separated by semicolons, for deployments without files. They contain hashes, not tokens."""
    api_oidc_issuer: str = ""
    """Issuer of the OpenID Connect provider whose tokens the HTTP API accepts, too. If empty, it accepts none."""
    api_oidc_audience: str = ""
    """Audience (`aud`) that such a token must have."""
    api_oidc_jwks_url: str = ""
    """URL of the provider's keys. If empty, it is taken from the issuer's discovery document."""
    api_oidc_algorithms: str = "RS256,ES256"
    """Algorithms of signatures that are accepted, as comma-separated names."""
    api_oidc_scope_claim: str = "scope"
    """Claim with the scopes: a text with spaces, or a list."""
    api_oidc_scope_prefix: str = "triggers:"
    """Prefix of our scopes in that claim, such as `triggers:read`. Other scopes are ignored."""
    api_oidc_actor_claim: str = "sub"
    """Claim with the name that is recorded as the actor."""
    api_rate: Rate = 0.0
    """Number of requests and events per second that each token may send, unless its line has a rate. If 0, there is
    no limit."""
    api_max_body_bytes: Count = 8_000_000
    """Maximum size of the body of a request."""
    api_body_timeout_s: Seconds = 30.0
    """Time in which the body of a request must have arrived."""
    api_max_in_flight: Count = 20_000
    """Number of events that may wait for the broker's acknowledgement. Further ones are refused with the status 503."""

    actor: str = ""
    """Name under which the command line records what an operator does. If empty, it is `<user>@<host>`."""

    publish_timeout_s: Seconds = 10.0
    """Time for which `fire()` waits for the broker's acknowledgement before it raises `BrokerUnavailable`. It is
    longer than a cluster takes to replace a killed broker. In a web request, choose a smaller value, such as 3."""
    read_timeout_s: Seconds = 10.0
    """Time for which a read waits for the worker that owns the session before it raises `OwnerUnavailable`."""

    stuck_after_s: Seconds = 86_400.0
    """Time without a record after which an unresolved session counts as stuck in the metrics. A day by default."""

    metrics_port: Port = 0
    """Port on which a Celery worker, the dispatcher, hooks, the HTTP API or the console serves its metrics, at
    `/metrics`. If 0, it serves none. Every process of a machine needs a different one. Workers serve theirs on
    the port of their HTTP server."""
    metrics_host: str = "0.0.0.0"  # noqa: S104  # the port is off unless someone sets it, for a Prometheus elsewhere
    """Address on which these metrics are served. Anyone who can reach it can read them. They contain names of tasks and
    exceptions, but no data of sessions."""

    log_format: str = "console"
    """Format of log lines: `console` for people, `json` for machines."""
    log_level: str = "INFO"
    """Lowest level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL."""

    def __post_init__(self) -> None:
        """Raises SettingsError for an address with a password, or a secret that is set twice."""
        for name in ("brokers", "advertised_url"):
            value = str(getattr(self, name))
            if "@" in value or "?" in value:
                shown = without_secrets(value)
                raise SettingsError(f"{PREFIX}{name.upper()} is {shown!r}, but it must have no user, no @ and no ?")
        for name in ("kafka_username", "kafka_password", "kafka_key_password"):
            if getattr(self, name) and getattr(self, f"{name}_file"):
                variable = PREFIX + name.upper()
                raise SettingsError(f"{variable} and {variable}_FILE are both set; remove one of them")

    def __repr__(self) -> str:
        """Returns all settings, without tokens and passwords."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Returns the same for rich, which would otherwise read the fields themselves."""
        return [(name, shown_value(name, getattr(self, name))) for name in self.__struct_fields__]

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
        """Returns the settings of the environment. `overrides` take precedence, except for those that are None.

        `environ` replaces the environment of the process. Raises SettingsError, which names the variable, for a value
        of the wrong type or out of its range.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, object] = {
            name: environ[PREFIX + name.upper()] for name in cls.__struct_fields__ if PREFIX + name.upper() in environ
        }
        values |= {name: value for name, value in overrides.items() if value is not None}
        try:
            return msgspec.convert(values, cls, strict=False, dec_hook=_decode)
        except msgspec.ValidationError as error:
            raise SettingsError(_explain(error, values)) from error

    @property
    def shown_brokers(self) -> str:
        """The brokers as every message, log line and page names them: without passwords."""
        return without_secrets(self.brokers)

    @property
    def is_secured(self) -> bool:
        """True if something is set about how clients connect, so the brokers may have access control lists."""
        return self != self.without_security()

    def without_security(self) -> Settings:
        """Returns the settings for a broker without security, such as one that `triggers dev` has started."""
        names = [name for name in self.__struct_fields__ if name.startswith("kafka_")]
        return msgspec.structs.replace(self, **dict.fromkeys(names, ""))

    @property
    def queue_names(self) -> list[str]:
        """The names in `queues`."""
        return [name for written in self.queues.split(",") if (name := written.strip())]

    def id_of_worker(self, slot: int) -> str:
        """Returns the stable id of a worker slot of this machine; slots are numbered from 0."""
        return self.worker_id or f"{socket.gethostname()}-{slot}"


class TraceExport(msgspec.Struct, frozen=True, kw_only=True):
    """OpenTelemetry's own variables about the export of spans. Its SDK reads the other ones itself."""

    variable: str = ""
    """The variable that names the endpoint, or empty if there is none."""
    protocol: str = ""
    has_service_name: bool = False
    has_queue_size: bool = False
    is_disabled: bool = False

    @property
    def is_on(self) -> bool:
        """True if spans are to be exported."""
        return bool(self.variable) and not self.is_disabled

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> TraceExport:
        """Returns what the environment says. `environ` replaces the environment of the process."""
        environ = os.environ if environ is None else environ
        endpoints = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
        protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "")
        is_other = environ.get("OTEL_TRACES_EXPORTER", "otlp").strip() not in {"", "otlp"}
        return cls(
            variable=next((name for name in endpoints if environ.get(name)), ""),
            protocol=protocol,
            has_service_name="OTEL_SERVICE_NAME" in environ
            or "service.name" in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""),
            has_queue_size="OTEL_BSP_MAX_QUEUE_SIZE" in environ,
            is_disabled=is_other or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true",
        )


def cache_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Returns the directory of downloads that are reused by later runs.

    It is `$XDG_CACHE_HOME/kafka-triggers`, or `~/.cache/kafka-triggers`.
    """
    environ = os.environ if environ is None else environ
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kafka-triggers"


def _decode(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind)


def _explain(error: msgspec.ValidationError, values: Mapping[str, object]) -> str:
    """Returns a message that names the variable, its value, and the type or the bound that it must have."""
    what, _, where = str(error).partition(" - at `$.")
    field = where.rstrip("`")
    if field not in values:
        return what
    return f"{PREFIX}{field.upper()} is {shown_value(field, values[field])!r}, but it must be {describe_accepted(what)}"
