"""The shared secret with which processes of one installation read from the workers over HTTP."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final

from triggers.errors import SettingsError
from triggers.settings import Settings

_SCHEME: Final = "bearer"
_MIN_CHARACTERS: Final = 16


def read_tokens(settings: Settings) -> list[str]:
    """Returns the accepted tokens, of which the first is the one to send; none if reads need no token.

    The file is read at each call, so that a token can be replaced while processes run: add the new one as the second
    line on all machines, then make it the first, then remove the old one. Raises SettingsError.
    """
    tokens = [settings.read_token] if settings.read_token else []
    if settings.read_token_file is not None:
        try:
            tokens += settings.read_token_file.read_text(encoding="utf-8").split()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"TRIGGERS_READ_TOKEN_FILE is {str(settings.read_token_file)!r}: {error}") from error
        if not tokens:
            raise SettingsError(f"TRIGGERS_READ_TOKEN_FILE is {str(settings.read_token_file)!r}: it has no token")
    for token in tokens:
        if len(token) < _MIN_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token:
            raise SettingsError(
                f"a token of TRIGGERS_READ_TOKEN or its file has {len(token)} characters; it must have at least"
                f" {_MIN_CHARACTERS}, all of them printable ASCII without spaces: `openssl rand -hex 32` makes one"
            )
    return tokens


def token_headers(settings: Settings) -> dict[str, str]:
    """Returns the headers of a request to a worker. Raises SettingsError."""
    tokens = read_tokens(settings)
    return {"Authorization": f"Bearer {tokens[0]}"} if tokens else {}


def is_accepted(header: str, tokens: Sequence[str]) -> bool:
    """Returns whether an `Authorization` header has one of the tokens. Takes equally long for every wrong token."""
    scheme, _, sent = header.partition(" ")
    if scheme.lower() != _SCHEME:
        return False
    received = sent.strip().encode(errors="surrogateescape")
    accepted = False
    for token in tokens:
        accepted |= hmac.compare_digest(received, token.encode())
    return accepted
