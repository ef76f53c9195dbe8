"""Processes connect by SCRAM, mutual TLS and OAUTHBEARER, and say in one line what is wrong with their settings."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from tests.support.certificates import Authority, encrypt_key
from tests.support.program import environment
from tests.support.secured_kafka import PASSWORD, SecuredKafka, SettingsFor
from tests.support.topic_reader import wait_until
from tests.support.worker_process import WorkerProcess

from triggers.cli import main
from triggers.client import KafkaPublisher
from triggers.core.events import TriggerFired
from triggers.errors import AccessDenied
from triggers.kafka.permissions import Process, permissions_of
from triggers.kafka.reachability import check_reachable
from triggers.settings import Settings

pytestmark = [pytest.mark.broker, pytest.mark.timeout(200)]


@pytest.fixture
def mtls(secured: SecuredKafka, tmp_path: Path) -> Settings:
    """Settings that connect with a certificate for the user `agent`."""
    certificate, key = Authority.issue(secured.authority, "agent")
    assert tmp_path
    return Settings(
        brokers=secured.mtls,
        kafka_security_protocol="SSL",
        kafka_ca_file=str(secured.authority.certificate),
        kafka_certificate_file=str(certificate),
        kafka_key_file=str(key),
    )


@pytest.fixture(scope="module")
def token_endpoint() -> Iterator[str]:
    """The address of an OAuth 2 server that gives everyone an unsigned token for the user `agent`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _TokenHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/token"
    server.shutdown()
    server.server_close()


class _TokenHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        now = int(time.time())
        parts = ({"alg": "none"}, {"sub": "agent", "iat": now, "exp": now + 300})
        token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        body = json.dumps({"access_token": f"{token}.", "token_type": "Bearer", "expires_in": 300}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name in the standard library
        """Logs nothing."""


def test_scram_over_tls_connects(settings_for: SettingsFor) -> None:
    check_reachable(settings_for("agent"))


def test_a_certificate_connects(mtls: Settings) -> None:
    check_reachable(mtls)


def test_a_certificate_with_an_encrypted_key_connects(mtls: Settings, tmp_path: Path) -> None:
    (tmp_path / "key-password").write_text(f"{PASSWORD}\n")
    encrypted = encrypt_key(Path(mtls.kafka_key_file), PASSWORD)

    check_reachable(
        msgspec.structs.replace(
            mtls, kafka_key_file=str(encrypted), kafka_key_password_file=str(tmp_path / "key-password")
        )
    )


def test_the_user_of_a_certificate_is_its_common_name(mtls: Settings, secured: SecuredKafka, namespace: str) -> None:
    settings = msgspec.structs.replace(mtls, namespace=namespace)

    with pytest.raises(AccessDenied, match=rf"does not permit Describe on topic {namespace}\.events"):
        check_reachable(settings, f"{namespace}.events")

    assert ("agent", "DESCRIBE", "Topic", f"{namespace}.events") in secured.audited("Denied")


def test_a_token_of_an_oidc_server_connects(settings_for: SettingsFor, tmp_path: Path, token_endpoint: str) -> None:
    lines = ["sasl.oauthbearer.method=oidc", f"sasl.oauthbearer.token.endpoint.url={token_endpoint}"]
    (tmp_path / "client.properties").write_text("\n".join(lines))
    settings = msgspec.structs.replace(
        settings_for("agent"),
        kafka_sasl_mechanism="OAUTHBEARER",
        kafka_config_file=str(tmp_path / "client.properties"),
    )

    check_reachable(settings)


WRONG = {
    "user": ({"kafka_username": "stranger"}, "the user or the password is wrong"),
    "password": ({"kafka_password_file": "", "kafka_password": "wr0ng"}, "the user or the password is wrong"),
    "mechanism": ({"kafka_sasl_mechanism": "PLAIN"}, "do not offer PLAIN, but SCRAM-SHA-512,OAUTHBEARER"),
    "authority": ({"kafka_ca_file": "other"}, "set TRIGGERS_KAFKA_CA_FILE to the certificate of the authority"),
    "host": ({"brokers": "127.0.0.1"}, "set TRIGGERS_BROKERS to a name that is in the certificate"),
    "unknown host": ({"brokers": "nowhere.invalid"}, "the host name of 'nowhere.invalid"),
    "no TLS": ({"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_ca_file": ""}, "the listener speaks TLS only"),
    "no TLS there": ({"brokers": "plain"}, "the listener does not speak TLS"),
}


def _wrong(right: Settings, changes: dict[str, str], secured: SecuredKafka, folder: Path) -> Settings:
    named = dict(changes)
    if named.get("brokers") == "plain":
        named["brokers"] = secured.plain
    elif "brokers" in named:
        named["brokers"] += f":{secured.sasl.rpartition(':')[2]}"
    if named.get("kafka_ca_file") == "other":
        named["kafka_ca_file"] = str(Authority(folder / "other").certificate)
    return msgspec.structs.replace(right, **named)


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_connection_is_explained_in_one_line_within_seconds(
    what: str, secured: SecuredKafka, settings_for: SettingsFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, told = WRONG[what]
    for name, value in environment(_wrong(settings_for("operator"), changes, secured, tmp_path)).items():
        if name.startswith("TRIGGERS_"):
            monkeypatch.setenv(name, value)

    done, seconds = _list_until_told(told)

    assert done.exit_code == (4 if what == "unknown host" else 2), done.output
    assert told in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)
    assert PASSWORD not in done.stderr
    assert "wr0ng" not in done.stderr
    assert seconds < 10 + _SLOW_MACHINE_S


def _list_until_told(told: str) -> tuple[Result, float]:
    """Returns what the command says, and its seconds. It is called again if the broker was too busy to answer."""
    for _ in range(_TRIES):
        started = time.monotonic()
        done = CliRunner().invoke(main, ["list", "--json"])
        if told in done.stderr:
            break
    return done, time.monotonic() - started


_TRIES = 3
_SLOW_MACHINE_S = 20
"""A busy machine may not run the process for a while; the limit of the call itself is four seconds."""


def test_brokers_that_want_a_certificate_say_so(mtls: Settings) -> None:
    without = msgspec.structs.replace(mtls, kafka_certificate_file="", kafka_key_file="")

    with pytest.raises(AccessDenied, match="set TRIGGERS_KAFKA_CERTIFICATE_FILE and TRIGGERS_KAFKA_KEY_FILE"):
        check_reachable(without)


def test_a_certificate_of_another_authority_is_refused_by_the_brokers(mtls: Settings, tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path / "other").issue("agent")

    with pytest.raises(AccessDenied, match="the brokers want another certificate of the client"):
        check_reachable(msgspec.structs.replace(mtls, kafka_certificate_file=str(certificate), kafka_key_file=str(key)))


def test_fire_says_that_the_password_is_wrong(settings_for: SettingsFor, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wr0ng")
    settings = msgspec.structs.replace(
        settings_for("client"), kafka_password_file=str(tmp_path / "wrong"), publish_timeout_s=2.0
    )

    with pytest.raises(AccessDenied, match="the user or the password is wrong"):
        KafkaPublisher(settings).publish("s", TriggerFired(trigger="a", kwargs=b"{}"))


def test_a_worker_with_a_wrong_password_says_so_once_and_starts_when_it_is_right(
    secured: SecuredKafka, settings_for: SettingsFor, namespace: str
) -> None:
    operator, agent = settings_for("operator"), settings_for("agent")
    secured.allow("operator", permissions_of(Process.OPERATOR, operator))
    secured.allow("agent", permissions_of(Process.AGENT, agent))
    password = Path(agent.kafka_password_file)
    assert CliRunner().invoke(main, ["topics", "create"], env=environment(operator)).exit_code == 0
    password.write_text("wr0ng")

    with WorkerProcess(agent, f"{namespace}-w0") as worker:
        wait_until(
            lambda: "the user or the password is wrong" in worker.log_text(), "the worker says what is wrong", 60
        )
        password.write_text(PASSWORD)
        worker.wait_ready()

    lines = worker.log_text().splitlines()
    assert len([line for line in lines if "the user or the password is wrong" in line]) == 1
    assert "wr0ng" not in worker.log_text()
    assert PASSWORD not in worker.log_text()
