"""Opens a connection to a broker without librdkafka, which does not say what is wrong with a certificate."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from triggers.kafka.client_kind import ClientKind
from triggers.kafka.operator_properties import PROBED_CA, operator_properties
from triggers.settings import Settings

_TIMEOUT_S: Final = 2.0
_DEFAULT_PORT: Final = 9092


def open_connection(settings: Settings) -> socket.socket:
    """Returns a connection to the first broker, with TLS if the settings say so. Blocks for some seconds at most.

    Raises OSError, also for a certificate that is refused, and ValueError for a port that is no number.
    """
    properties = operator_properties(settings, ClientKind.ADMIN)
    texts = {name: value for name, value in properties.items() if isinstance(value, str)}
    host, port = _first_address(settings)
    plain = socket.create_connection((host, port), _TIMEOUT_S)
    if not texts.get("security.protocol", "").upper().endswith("SSL"):
        return plain
    return _secure(plain, _verifying(texts), host)


def refusal_of_certificate(settings: Settings) -> str:
    """Returns why the certificate of the first broker is refused, in OpenSSL's words, or nothing. Blocks."""
    try:
        open_connection(settings).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except (OSError, ValueError):
        return ""
    return ""


def listener_speaks_tls(settings: Settings) -> bool:
    """Returns whether the first broker's listener answers to TLS. Its certificate does not matter. Blocks."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        host, port = _first_address(settings)
        _secure(socket.create_connection((host, port), _TIMEOUT_S), context, host).close()
    except (OSError, ValueError):
        return False
    return True


def _verifying(properties: dict[str, str]) -> ssl.SSLContext:
    file = properties.get("ssl.ca.location")
    context = ssl.create_default_context(
        cafile=None if file == PROBED_CA else file, cadata=properties.get("ssl.ca.pem")
    )
    if (certificate := properties.get("ssl.certificate.location")) is not None:
        key, password = properties.get("ssl.key.location"), properties.get("ssl.key.password")
        context.load_cert_chain(certificate, key, password)
    return context


def _secure(plain: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _first_address(settings: Settings) -> tuple[str, int]:
    host, _, port = settings.brokers.split(",")[0].strip().rpartition(":")
    if not host:
        return port, _DEFAULT_PORT
    return host.removeprefix("[").removesuffix("]"), int(port)
