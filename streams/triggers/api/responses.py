"""Responses with problems."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from triggers.api.problems import MEDIA_TYPE, ProblemError


def problem_response(error: ProblemError, request_id: str) -> Response:
    """Returns a problem as a response."""
    body = msgspec.json.encode(error.problem(request_id))
    return Response(body, error.kind.status, error.headers, media_type=MEDIA_TYPE)
