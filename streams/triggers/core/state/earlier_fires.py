"""Takes over what sessions of earlier versions have stored about the last fires of triggers beside their kwargs."""

from __future__ import annotations

from typing import Final

import msgspec

from triggers.core.state.header import Header
from triggers.core.state.header_parts import LastFire
from triggers.core.state.latest import restamped
from triggers.core.state.session_rows import SessionRows, SpillingMap

_KIND: Final = b"f"

_decode: Final = msgspec.msgpack.Decoder(LastFire).decode


def join_earlier_fires(header: Header, latest: SpillingMap[bytes], rows: SessionRows) -> None:
    """Writes the fires into the records of the latest kwargs, and deletes their own rows.

    Called once for a session, when it is read for the first time since headers are of version 5.
    """
    stored = header.edition_2
    if stored is None:
        return
    fires = stored.last_fires
    if stored.last_fires_spilled:
        for suffix, row in list(rows.scan(_KIND)):
            fires.setdefault(suffix[len(_KIND) :].decode(), _decode(row))
            rows.put(suffix, None)
    for trigger, fire in fires.items():
        if (record := latest.get(trigger)) is not None:
            latest.hot[trigger] = restamped(record, (fire.clock, fire.order, fire.time, fire.id, fire.source))
    stored.last_fires, stored.last_fires_spilled = {}, False
    latest.spill()
    header.latest_spilled = latest.spilled
