"""The librdkafka properties that operators set: by `TRIGGERS_KAFKA_*` and in the file `TRIGGERS_KAFKA_CONFIG_FILE`."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from triggers.core.nearest_name import suggestion
from triggers.errors import SettingsError
from triggers.kafka.client_kind import ClientKind
from triggers.kafka.config_file import read_config_file
from triggers.kafka.msk_iam import MSK_IAM, TokenCallback, token_callback
from triggers.kafka.property_names import ALL_NAMES
from triggers.redaction import MASK, is_secret_name, without_secrets
from triggers.settings import PREFIX, Settings

_PROTOCOL, _MECHANISM, _OAUTHBEARER = "security.protocol", "sasl.mechanism", "OAUTHBEARER"
_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", _OAUTHBEARER, MSK_IAM, "GSSAPI")
_FIELDS: Final = {
    _PROTOCOL: "kafka_security_protocol",
    _MECHANISM: "kafka_sasl_mechanism",
    "sasl.username": "kafka_username",
    "sasl.password": "kafka_password",
    "ssl.ca.location": "kafka_ca_file",
    "ssl.certificate.location": "kafka_certificate_file",
    "ssl.key.location": "kafka_key_file",
    "ssl.key.password": "kafka_key_password",
}
_OF_OAUTH: Final = {"sasl.username": "sasl.oauthbearer.client.id", "sasl.password": "sasl.oauthbearer.client.secret"}
"""The properties of user and password for OAUTHBEARER, so a deployment changes its mechanism, not its secrets."""
PROBED_CA: Final = "probe"
"""The value of `ssl.ca.location` with which librdkafka looks for the system's certificates."""


class _Value(NamedTuple):
    """The value of a property, and where it was set: a variable, or a line of the file."""

    value: str
    source: str


def operator_properties(settings: Settings, kind: ClientKind) -> dict[str, str | TokenCallback]:
    """Returns what operators have set for clients of a kind. Files are read for each call.

    Raises SettingsError for what librdkafka would refuse, ignore or misunderstand, and for what only we may set.
    """
    values = _read(settings, kind)
    if not values:
        return {}
    _check_together(values)
    _check_files(values)
    properties: dict[str, str | TokenCallback] = {name: each.value for name, each in values.items()}
    if properties.get(_MECHANISM) == MSK_IAM:
        properties |= {_MECHANISM: _OAUTHBEARER, "oauth_cb": token_callback(settings)}
        values = {name: value for name, value in values.items() if name not in {_MECHANISM, _PROTOCOL}}
    _check_with_librdkafka(tuple(sorted(values.items())))
    return properties


def check_properties(settings: Settings) -> None:
    """Raises SettingsError if the properties of any kind of client are wrong. Connects to nothing."""
    for kind in ClientKind:
        operator_properties(settings, kind)


def _read(settings: Settings, kind: ClientKind) -> dict[str, _Value]:
    """Returns the properties. A variable takes precedence over the file."""
    values = {
        entry.name: _Value(entry.value, f"{settings.kafka_config_file}:{entry.line}")
        for entry in read_config_file(settings.kafka_config_file, kind)
    }
    variables = {name: value for name, field in _FIELDS.items() if (value := _variable(settings, field)) is not None}
    values |= variables
    if (mechanism := values.get(_MECHANISM)) is not None:
        values[_MECHANISM] = mechanism._replace(value=mechanism.value.upper())
        if mechanism.value.upper() == _OAUTHBEARER:
            values = {_OF_OAUTH.get(name, name): value for name, value in values.items()}
    return values


def _variable(settings: Settings, field: str) -> _Value | None:
    """Returns the value of a variable, or of the file that the variable with `_FILE` names; None if neither is set."""
    value, variable = str(getattr(settings, field)), PREFIX + field.upper()
    file = str(getattr(settings, f"{field}_file", ""))
    if not file:
        return _Value(value, variable) if value else None
    variable += "_FILE"
    try:
        return _Value(Path(file).read_text(encoding="utf-8").rstrip("\r\n"), variable)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable} names {file!r}, which cannot be read: {_reason(error)}") from error


def _check_together(values: dict[str, _Value]) -> None:
    """Refuses what would be ignored: librdkafka connects without encryption although it has a password."""
    protocol = values.get(_PROTOCOL, _Value("PLAINTEXT", ""))
    _check_choice(_PROTOCOL, protocol, _PROTOCOLS)
    if (mechanism := values.get(_MECHANISM)) is not None:
        _check_choice(_MECHANISM, mechanism, _MECHANISMS)
    chosen = protocol.value.upper()
    for prefix, fitting in (("sasl.", ("SASL_PLAINTEXT", "SASL_SSL")), ("ssl.", ("SSL", "SASL_SSL"))):
        first = next((value for name, value in values.items() if name.startswith(prefix)), None)
        if first is not None and chosen not in fitting:
            fix = f"set {PREFIX}KAFKA_SECURITY_PROTOCOL to {' or '.join(fitting)}"
            raise SettingsError(
                f"{first.source} is set, but the security protocol is {chosen}, which ignores it: {fix}"
            )
    if chosen.startswith("SASL") and mechanism is None:
        raise SettingsError(
            f"the security protocol is {chosen}, so {PREFIX}KAFKA_SASL_MECHANISM must be set: {', '.join(_MECHANISMS)}"
        )


def _check_choice(name: str, value: _Value, choices: Iterable[str]) -> None:
    if value.value.upper() not in choices:
        near = suggestion(value.value, choices)
        raise SettingsError(
            f"{value.source}: {name} is {value.value!r}, but it must be one of {', '.join(choices)}{near}"
        )


def _check_files(values: dict[str, _Value]) -> None:
    for name, (value, source) in values.items():
        if name.startswith("ssl.") and name.endswith(".location") and value != PROBED_CA and not Path(value).exists():
            raise SettingsError(f"{source}: {name} is {value!r}, but there is no such file")


@lru_cache(maxsize=16)
def _check_with_librdkafka(values: tuple[tuple[str, _Value], ...]) -> None:
    """Raises SettingsError for what librdkafka refuses, once for the same properties. The client has no brokers.

    Without it, the constructor of any client would raise an error that names neither the variable nor the line.
    """
    options: dict[str, str | int | float | bool] = {name: each.value for name, each in values}
    try:
        AdminClient(options | {"log_level": 0})
    except KafkaException as error:
        raise SettingsError(_explain(error.args[0].str(), dict(values))) from None  # it may have a secret


def _explain(detail: str, values: dict[str, _Value]) -> str:
    detail = detail.removeprefix("Failed to create admin client: ").strip().replace('"', "'")
    named = max((name for name in values if name in detail), key=len, default="")
    shown = without_secrets(_without_values(detail, values))
    if "No such configuration property" in detail:
        return f"{values[named].source}: librdkafka has no property {named!r}{suggestion(named, ALL_NAMES)}"
    if not named:
        return f"the {PREFIX}KAFKA_* settings are refused: {shown}"
    return f"{values[named].source}: librdkafka refuses {named}: {shown}"


def _without_values(detail: str, values: dict[str, _Value]) -> str:
    """Returns the text without the values of secret properties, in case librdkafka repeats what it refuses."""
    for name, each in values.items():
        if is_secret_name(name) and each.value:
            detail = detail.replace(each.value, MASK)
    return detail


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else "it is not UTF-8"
