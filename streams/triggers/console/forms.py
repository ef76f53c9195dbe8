"""Forms as browsers send them: fields, and files if there is one to upload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from typing import Final, NamedTuple
from urllib.parse import parse_qs

from triggers.errors import CallError

ParameterValues = Mapping[str, Sequence[str]]
"""The values of each parameter, in the order of the request."""

_URL_ENCODED: Final = "application/x-www-form-urlencoded"
_MULTIPART: Final = "multipart/form-data"
_MAX_FIELDS: Final = 1_000


class Upload(NamedTuple):
    """An uploaded file."""

    name: str
    content: bytes


class Form(NamedTuple):
    """A form."""

    fields: ParameterValues
    files: Mapping[str, Upload]


def parse_form(content_type: str, body: bytes) -> Form:
    """Parse the body of a request. Raises CallError for one that is no form."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == _URL_ENCODED:
        return _parse_fields(body)
    if kind == _MULTIPART:
        return _parse_parts(content_type, body)
    raise CallError(f"Content-Type is {content_type!r:.100}; a form is sent as {_URL_ENCODED} or {_MULTIPART}")


def _parse_fields(body: bytes) -> Form:
    try:
        text = body.decode("ascii")
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS, errors="strict"), {})
    except ValueError as error:
        raise CallError("the form must be name=value pairs in percent-encoded UTF-8") from error


def _parse_parts(content_type: str, body: bytes) -> Form:
    """Parse a multipart body as a message of MIME, whose syntax it has."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", errors="replace")
    message: EmailMessage = BytesParser(policy=HTTP).parsebytes(head + body)
    fields: dict[str, list[str]] = {}
    files: dict[str, Upload] = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            raise CallError("a part of the form has no name")
        if (file_name := part.get_filename()) is not None:
            files[name] = Upload(file_name, content)
        else:
            fields.setdefault(name, []).append(content.decode(errors="replace"))
    return Form(fields, files)
