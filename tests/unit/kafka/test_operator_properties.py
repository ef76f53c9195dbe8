"""What operators may set for Kafka clients, and what they are told about the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from triggers.errors import SettingsError
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import client_options
from triggers.kafka.worker_options import member_options, producer_options
from triggers.settings import Settings

SECRET = "s3cr3t"  # noqa: S105  # it opens nothing
SCRAM = {
    "TRIGGERS_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "TRIGGERS_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "TRIGGERS_KAFKA_USERNAME": "agent",
    "TRIGGERS_KAFKA_PASSWORD": SECRET,
}


def _options(environ: dict[str, str], kind: ClientKind = ClientKind.ADMIN) -> dict[str, object]:
    return {**client_options(Settings.from_env(environ), kind, {})}


def _make_all_options(environ: dict[str, str]) -> None:
    for kind in ClientKind:
        _options(environ, kind)


def _file(folder: Path, *lines: str) -> dict[str, str]:
    path = folder / "client.properties"
    path.write_text("\n".join(lines))
    return {"TRIGGERS_KAFKA_CONFIG_FILE": str(path)}


def test_without_variables_clients_have_only_our_options() -> None:
    assert _options({}) == {"bootstrap.servers": "localhost:9092", "log.connection.close": False, "log_level": 0}


@pytest.mark.parametrize("kind", ClientKind)
def test_the_variables_are_properties_of_every_client(kind: ClientKind) -> None:
    assert _options(SCRAM, kind).items() >= {
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "agent"),
        ("sasl.password", SECRET),
    }


def test_secrets_come_from_files_without_their_last_line_end(tmp_path: Path) -> None:
    (tmp_path / "user").write_text("agent\n")
    (tmp_path / "password").write_text(f" {SECRET} \r\n")
    environ = {name: value for name, value in SCRAM.items() if "USERNAME" not in name and "PASSWORD" not in name}
    environ |= {
        "TRIGGERS_KAFKA_USERNAME_FILE": str(tmp_path / "user"),
        "TRIGGERS_KAFKA_PASSWORD_FILE": str(tmp_path / "password"),
    }

    assert _options(environ).items() >= {("sasl.username", "agent"), ("sasl.password", f" {SECRET} ")}


def test_user_and_password_are_the_client_of_oauthbearer(tmp_path: Path) -> None:
    file = _file(tmp_path, "sasl.oauthbearer.method=oidc", "sasl.oauthbearer.token.endpoint.url=https://idp/token")
    options = _options(SCRAM | file | {"TRIGGERS_KAFKA_SASL_MECHANISM": "oauthbearer"})

    assert options["sasl.mechanism"] == "OAUTHBEARER"
    assert options["sasl.oauthbearer.client.id"] == "agent"
    assert options["sasl.oauthbearer.client.secret"] == SECRET
    assert "sasl.password" not in options


def test_a_variable_takes_precedence_over_the_file_also_under_an_alias(tmp_path: Path) -> None:
    options = _options(SCRAM | _file(tmp_path, "sasl.mechanisms=PLAIN", "sasl.username=other"))

    assert (options["sasl.mechanism"], options["sasl.username"]) == ("SCRAM-SHA-512", "agent")
    assert "sasl.mechanisms" not in options


def test_a_prefix_chooses_the_kind_of_client(tmp_path: Path) -> None:
    lines = ["socket.keepalive.enable=true", "consumer.client.rack=a", "producer.linger.ms=7", "batch.size=9999"]
    lines += ["admin.socket.timeout.ms=1234", "socket.timeout.ms=5678", "fetch.min.bytes=2"]
    environ = _file(tmp_path, *lines)

    base = {"bootstrap.servers", "log.connection.close", "log_level", "socket.keepalive.enable", "socket.timeout.ms"}
    consumer, producer, admin = (_options(environ, kind) for kind in ClientKind)
    assert set(consumer) == base | {"client.rack", "fetch.min.bytes"}
    assert set(producer) == base | {"linger.ms", "batch.size"}
    assert set(admin) == base
    assert (consumer["socket.timeout.ms"], admin["socket.timeout.ms"]) == ("5678", "1234")


def test_what_operators_set_takes_precedence_over_what_we_tune(tmp_path: Path) -> None:
    settings = Settings.from_env(_file(tmp_path, "queue.buffering.max.ms=20", "consumer.fetch.wait.max.ms=77"))

    assert producer_options(settings, "w", 1000, 1000)["linger.ms"] == "20"
    assert member_options(settings, "w")["fetch.wait.max.ms"] == "77"


def test_a_value_may_stand_in_a_file_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "kafka-password").write_text(f"{SECRET}\n")
    lines = [f"sasl.password=${{directory:{tmp_path}/secrets:kafka-password}}", "sasl.username=agent"]

    options = _options(_file(tmp_path, "security.protocol=SASL_SSL", "sasl.mechanism=PLAIN", *lines))

    assert options["sasl.password"] == SECRET


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("isolation.level=read_uncommitted", "consumers read committed records only"),
        ("consumer.enable.auto.commit=true", "each process commits offsets itself"),
        ("producer.transactional.id=x", "transactional ids are named after TRIGGERS_NAMESPACE"),
        ("metadata.broker.list=a:9092", "set TRIGGERS_BROKERS"),
        ("bootstrap.servers=a:9092", "set TRIGGERS_BROKERS"),
        ("auto.offset.reset=earliest", "would break the guarantees"),
        ("message.timeout.ms=5", "set TRIGGERS_PUBLISH_TIMEOUT_S"),
        ("session.timeout.ms=5", "set TRIGGERS_SESSION_TIMEOUT_S"),
        ("error_cb=print", "it is a callback"),
        ("consumer.linger.ms=5", "is no property of consumers"),
        ("sasl.jaas.config=x", "use sasl.username and sasl.password"),
        ("ssl.truststore.location=x", "use ssl.ca.location, a file in PEM format"),
        ("fetch.min.byte=5", "did you mean 'fetch.min.bytes'?"),
        ("consumer.fetch.min.byte=5", "did you mean 'fetch.min.bytes'?"),
        ("qqqqq=5", "librdkafka has no property 'qqqqq'"),
        ("fetch.min.bytes=many", "Invalid value for configuration property 'fetch.min.bytes'"),
        ("sasl.password=x", "the security protocol is PLAINTEXT, which ignores it"),
        ("ssl.ca.location=probe", "the security protocol is PLAINTEXT, which ignores it"),
        ("security.protocol=SSI", "did you mean 'SSL'?"),
        ("security.protocol=SASL_SSL", "so TRIGGERS_KAFKA_SASL_MECHANISM must be set"),
    ],
)
def test_a_wrong_line_is_named_with_the_fix(tmp_path: Path, line: str, told: str) -> None:
    environ = _file(tmp_path, "# first line", line)

    with pytest.raises(SettingsError) as refused:
        _make_all_options(environ)

    assert told in str(refused.value)
    if "MECHANISM must be set" not in told:
        assert f"{environ['TRIGGERS_KAFKA_CONFIG_FILE']}:2" in str(refused.value)


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        (
            {"KAFKA_SECURITY_PROTOCOL": "TLS"},
            "TRIGGERS_KAFKA_SECURITY_PROTOCOL: security.protocol is 'TLS', but it must be one of",
        ),
        ({"KAFKA_SASL_MECHANISM": "SCRAM-SHA512"}, "did you mean 'SCRAM-SHA-512'?"),
        ({"KAFKA_USERNAME": ""}, "sasl.username and sasl.password must be set"),
        ({"KAFKA_SECURITY_PROTOCOL": ""}, "the security protocol is PLAINTEXT, which ignores it"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL"}, "set TRIGGERS_KAFKA_SECURITY_PROTOCOL to SASL_PLAINTEXT or SASL_SSL"),
        (
            {"KAFKA_CA_FILE": "/nowhere/ca.pem"},
            "TRIGGERS_KAFKA_CA_FILE: ssl.ca.location is '/nowhere/ca.pem', but there",
        ),
        ({"KAFKA_CA_FILE": __file__}, "TRIGGERS_KAFKA_CA_FILE: librdkafka refuses ssl.ca.location"),
        (
            {"KAFKA_PASSWORD_FILE": "/nowhere/f"},
            "TRIGGERS_KAFKA_PASSWORD and TRIGGERS_KAFKA_PASSWORD_FILE are both set",
        ),
        (
            {"KAFKA_PASSWORD": "", "KAFKA_PASSWORD_FILE": "/nowhere/f"},
            "names '/nowhere/f', which cannot be read: No such",
        ),
        (
            {"KAFKA_CONFIG_FILE": "/nowhere/f"},
            "TRIGGERS_KAFKA_CONFIG_FILE names '/nowhere/f', which cannot be read: No such",
        ),
        ({"KAFKA_SASL_MECHANISM": "AWS_MSK_IAM", "KAFKA_USERNAME": ""}, "set TRIGGERS_KAFKA_AWS_REGION"),
    ],
)
def test_a_wrong_variable_is_named_with_the_fix_and_without_the_password(environ: dict[str, str], told: str) -> None:
    changed = SCRAM | {f"TRIGGERS_{name}": value for name, value in environ.items()}

    with pytest.raises(SettingsError) as refused:
        _options({name: value for name, value in changed.items() if value})

    assert told in str(refused.value)
    assert SECRET not in str(refused.value)


def test_settings_without_security_have_no_variable_of_kafka() -> None:
    settings = Settings.from_env(SCRAM | {"TRIGGERS_NAMESPACE": "n"})

    assert settings.without_security() == Settings(namespace="n")
