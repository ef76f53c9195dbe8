"""The kinds of a session's maps: those with hot entries in the header, and those that are only in rows."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core.conditions.held import Memory
from triggers.core.state.header_codec import decode_latest
from triggers.core.state.header_parts import TaskState
from triggers.core.state.session_rows import RowKind, SpillingKind
from triggers.core.state.waiting import Waiting

HOT_TASKS: Final = 32
HOT_TRIGGERS: Final = 64

TASKS: Final = SpillingKind(b"k", HOT_TASKS, msgspec.msgpack.Decoder(TaskState).decode)
LATEST: Final = SpillingKind(b"l", HOT_TRIGGERS, decode_latest)
WAITING: Final = RowKind(b"w", msgspec.msgpack.Decoder(Waiting).decode, Waiting)
MEMORY: Final = RowKind(b"m", msgspec.msgpack.Decoder(Memory).decode, Memory)
