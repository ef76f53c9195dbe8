"""JSON given on the command line, or in a file as `@FILE`."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from triggers.codec.json_payloads import check_payload
from triggers.errors import Undecodable


class JsonObject(click.ParamType):
    """A JSON object, verbatim: its bytes are not encoded again."""

    name = "JSON|@FILE"

    def convert(self, value: str | bytes, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """See click."""
        if isinstance(value, bytes):
            return value
        try:
            text = Path(value[1:]).read_bytes() if value.startswith("@") else value.encode()
            check_payload(text.strip(), "the value")
        except (OSError, Undecodable, msgspec.DecodeError, UnicodeEncodeError) as error:
            self.fail(str(error), param, ctx)
        return text.strip()
