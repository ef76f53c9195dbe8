"""Parameters that several operations have, and their examples."""

from __future__ import annotations

from typing import Final

from triggers.api.parameters import Parameter

_ENCODED: Final = (
    " It may be any text, percent-encoded as UTF-8, including its slashes. The names `.` and `..` are written"
    " `.;` and `..;`,"
    " because clients resolve them."
)

UID: Final = Parameter(
    "uid", "UID of the session." + _ENCODED, {"type": "string", "minLength": 1, "maxLength": 1024}, "order-1"
)
TRIGGER: Final = Parameter(
    "name", "Name of the trigger." + _ENCODED, {"type": "string", "minLength": 1, "maxLength": 1024}, "orderPaid"
)
INSTANCE: Final = Parameter(
    "instance",
    "Name of the instance, `<task>#<number>`; the number sign is percent-encoded as `%23`." + _ENCODED,
    {"type": "string", "minLength": 1, "maxLength": 1048},
    "t_ship#0",
)
PARTITION: Final = Parameter(
    "partition",
    "Partition of the dead letter in its topic.",
    {"type": "integer", "minimum": 0, "maximum": 2**31 - 1},
    3,
)
OFFSET: Final = Parameter(
    "offset", "Offset of the dead letter in its topic.", {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}, 17
)
RULES: Final = Parameter(
    "rules", "Name of the published rules." + _ENCODED, {"type": "string", "minLength": 1, "maxLength": 1024}, "orders"
)
JOB: Final = Parameter(
    "job", "Id of the job.", {"type": "string", "minLength": 1, "maxLength": 64}, "20261130-120000-3fa9c1"
)
IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key",
    "Id of the event, if the body has none. Repeating the request with the same key has no effect.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "pay-4711",
    location="header",
    required=False,
)
