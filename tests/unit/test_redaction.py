"""No message, representation or traceback contains a password."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Callable

import pytest
from celery import Celery
from click.testing import CliRunner
from rich.pretty import pretty_repr
from structlog.testing import capture_logs

from triggers.cli import main
from triggers.client.schema_registry import SchemaRegistry, event_decoder
from triggers.errors import SettingsError, TriggersError
from triggers.redaction import is_secret_name, without_secrets
from triggers.settings import Settings

SECRET = "s3cr3t"  # noqa: S105  # it opens nothing
URLS = [
    f"https://APIKEY:{SECRET}@h",
    f"https://APIKEY:cflt/Zq9+{SECRET}==@h",
    f"https://APIKEY:{SECRET}/Zq9?#@h",
    f"https://APIKEY:a@{SECRET}@h:99999",
    f"ftp://APIKEY:{SECRET}@h",
    f"APIKEY:{SECRET}@h",
    f"https://APIKEY:{SECRET}@[::1",
    f"https://{SECRET}:@h:port",
    f"https://:{SECRET}@h:-1/",
    f"redis://:{SECRET}@h:6379/0",
    f"amqp://guest:{SECRET}@h//",
    f"sasl_ssl://u:{SECRET}@h:9092",
    f"rediss://h:6379?password={SECRET}&ssl=1",
]


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("text", ["{}", "cannot reach {}: no route", "'{}'", '{{"url": "{}"}}', "a, {}, b"])
def test_a_text_with_an_address_is_kept_without_its_password(url: str, text: str) -> None:
    shown = without_secrets(text.format(url))

    assert SECRET not in shown
    assert "***" in shown
    assert shown.startswith(text.split("{}", maxsplit=1)[0].replace("{{", "{"))


@pytest.mark.parametrize(
    "text",
    [
        "Kafka at localhost:9092,kafka-2:9092: Local: Message timed out",
        "worker http://10.0.0.1:6066 does not answer: [Errno 111] Connection refused",
        "session 'me@example.com' at 3/17",
        "the key 'a' is missing: add it",
        "https://registry.example.com/path?format=avro",
    ],
)
def test_a_text_without_a_password_stays_as_it_is(text: str) -> None:
    assert without_secrets(text) == text


def _told(call: Callable[[], object]) -> str:
    """Returns everything that a person sees of the error of a call."""
    try:
        call()
    except TriggersError as error:
        return "".join(traceback.format_exception(error))
    return ""


@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("variable", [f"TRIGGERS_{name.upper()}" for name in Settings.__struct_fields__])
def test_a_setting_that_is_wrong_is_named_without_its_password(variable: str, url: str) -> None:
    told = _told(lambda: event_decoder(Settings.from_env({variable: url})))

    shown = "\n".join(line for line in told.splitlines() if not line.startswith("    "))  # without lines of our code
    assert SECRET not in shown
    if told:
        assert variable in shown


@pytest.mark.parametrize("url", URLS)
def test_settings_are_shown_without_the_registry_s_password(url: str) -> None:
    settings = Settings(schema_registry_url=url)

    for shown in (repr(settings), str(settings), f"{settings}", pretty_repr(settings), repr([settings])):
        assert SECRET not in shown
        assert shown.strip("[").startswith("Settings(")
    assert pickle.loads(pickle.dumps(settings)).schema_registry_url == url  # noqa: S301  # our own bytes


@pytest.mark.parametrize(
    "text",
    [
        f"sasl.password={SECRET}",
        f"sasl.password = '{SECRET} with spaces'",
        f'sasl.jaas.config=x required username="u" password="{SECRET}";',
        f"ssl.key.password={SECRET} ssl.ca.location=/ca.pem",
        f"ssl.key.pem={SECRET}",
        f"sasl.oauthbearer.client.secret={SECRET}",
        f"sasl.oauthbearer.assertion.private.key.passphrase={SECRET}",
        f"TRIGGERS_KAFKA_PASSWORD={SECRET}",
        f"{{'sasl.username': 'u', 'sasl.password': '{SECRET} x'}}",
        f'{{"kafka_key_password": "{SECRET} \\" x", "brokers": "b"}}',
    ],
)
def test_a_text_with_a_property_is_kept_without_its_secret(text: str) -> None:
    shown = without_secrets(text)

    assert SECRET not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("kafka_password", True),
        ("kafka_key_password", True),
        ("sasl.password", True),
        ("ssl.key.pem", True),
        ("ssl.keystore.password", True),
        ("sasl.oauthbearer.client.secret", True),
        ("sasl.oauthbearer.assertion.private.key.passphrase", True),
        ("sasl.oauthbearer.config", True),
        ("sasl.jaas.config", True),
        ("kafka_password_file", False),
        ("kafka_username", False),
        ("sasl.username", False),
        ("ssl.ca.pem", False),
        ("ssl.certificate.pem", False),
        ("sasl.oauthbearer.token.endpoint.url", False),
        ("sasl.oauthbearer.client.id", False),
    ],
)
def test_the_end_of_a_name_says_whether_its_value_is_secret(name: str, secret: bool) -> None:
    assert is_secret_name(name) is secret


@pytest.mark.parametrize("name", ["kafka_password", "kafka_key_password"])
def test_settings_are_shown_without_the_secrets_of_kafka(name: str) -> None:
    settings = Settings.from_env({f"TRIGGERS_{name.upper()}": SECRET})

    for shown in (repr(settings), str(settings), f"{settings}", pretty_repr(settings), repr({"a": settings})):
        assert SECRET not in shown
        assert f"{name}='***'" in shown
    assert getattr(pickle.loads(pickle.dumps(settings)), name) == SECRET  # noqa: S301  # our own bytes


def test_addresses_that_other_machines_get_must_have_no_password() -> None:
    url = f"http://u:{SECRET}@h"

    with pytest.raises(SettingsError, match=r"TRIGGERS_BROKERS is 'http://\*\*\*@h', but it must have no user"):
        Settings(brokers=url)
    with pytest.raises(SettingsError, match=r"TRIGGERS_ADVERTISED_URL is 'http://\*\*\*@h', but it must have no user"):
        Settings(advertised_url=url)


def test_a_registry_that_does_not_answer_is_named_without_its_password(caplog: pytest.LogCaptureFixture) -> None:
    registry = SchemaRegistry(f"http://user:{SECRET}@127.0.0.1:1", timeout_s=1)

    with caplog.at_level(logging.DEBUG), capture_logs() as lines:
        told = _told(lambda: registry.schema(1))

    assert "127.0.0.1:1" in told
    assert SECRET not in told + caplog.text + str(lines) + repr(registry) + str(vars(registry)["_url"])


@pytest.mark.parametrize("url", URLS)
def test_the_command_line_prints_no_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TRIGGERS_SCHEMA_REGISTRY_URL", url)
    monkeypatch.setenv("TRIGGERS_BROKERS", url)

    done = CliRunner().invoke(main, ["export"])

    assert done.exit_code == 2
    assert SECRET not in done.output


def test_an_app_whose_broker_is_wrong_is_refused_without_the_password() -> None:
    from triggers.celery.brokers import UnsuitableBroker, check_durable_broker  # noqa: PLC0415

    app = Celery(broker=f"filesystem://u:{SECRET}@h")

    with pytest.raises(UnsuitableBroker) as refused:
        check_durable_broker(app)

    assert SECRET not in str(refused.value)
