"""Option type for JSON on the command line or in a file."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from triggers.codec.json_payloads import check_payload
from triggers.errors import Undecodable


class JsonObject(click.ParamType):
    """A JSON object as its verbatim bytes. A value that does not begin with `{` is the name of a file."""

    name = "JSON|[@]FILE"

    def convert(self, value: str | bytes, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        if isinstance(value, bytes):
            return value
        try:
            text = _bytes(value).strip()
            check_payload(text, "the value")
        except OSError as error:
            self.fail(f"{value!r} is neither a JSON object nor a file ({error.strerror})", param, ctx)
        except (ValueError, Undecodable, msgspec.DecodeError) as error:
            self.fail(str(error), param, ctx)
        return text


def _bytes(value: str) -> bytes:
    return value.encode() if value.lstrip().startswith("{") else Path(value.removeprefix("@")).read_bytes()
