"""Tokens for Amazon MSK, signed by Amazon's library on this machine."""

from __future__ import annotations

import base64
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from triggers.errors import SettingsError
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.connection import client_options
from triggers.kafka.msk_iam import token_callback
from triggers.settings import Settings

MSK = Settings(
    brokers="b-1.demo.abc123.c2.kafka.eu-central-1.amazonaws.com:9098",
    kafka_security_protocol="SASL_SSL",
    kafka_sasl_mechanism="AWS_MSK_IAM",
)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-no-account")


def _signed_url(token: str) -> str:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()


@pytest.mark.parametrize(
    ("settings", "region"),
    [
        (MSK, "eu-central-1"),
        (Settings(brokers="boot-x.c1.kafka-serverless.us-east-1.amazonaws.com:9098"), "us-east-1"),
        (Settings(brokers="msk.internal:9098", kafka_aws_region="sa-east-1"), "sa-east-1"),
    ],
)
def test_a_token_is_signed_for_the_region_of_the_brokers(settings: Settings, region: str) -> None:
    token, expires = token_callback(settings)("")

    url = urlsplit(_signed_url(token))
    assert url.hostname == f"kafka.{region}.amazonaws.com"
    assert parse_qs(url.query)["Action"] == ["kafka-cluster:Connect"]
    assert "AKIDEXAMPLE" in parse_qs(url.query)["X-Amz-Credential"][0]
    assert 0 < expires - time.time() <= 900


def test_the_mechanism_is_oauthbearer_with_a_callback_for_librdkafka() -> None:
    options = client_options(MSK, ClientKind.PRODUCER, {})

    assert options["sasl.mechanism"] == "OAUTHBEARER"
    assert callable(options["oauth_cb"])


def test_a_region_that_is_not_known_is_asked_for() -> None:
    with pytest.raises(SettingsError, match="set TRIGGERS_KAFKA_AWS_REGION"):
        token_callback(Settings(brokers="10.0.0.1:9098"))


def test_the_other_properties_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "client.properties").write_text("fetch.min.bytes=many")
    settings = msgspec.structs.replace(MSK, kafka_config_file=str(tmp_path / "client.properties"))

    with pytest.raises(SettingsError, match="librdkafka refuses fetch"):
        client_options(settings, ClientKind.CONSUMER, {})
