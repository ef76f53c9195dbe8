"""Captured sessions as tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from triggers.analysis.capsules import Replayed, load_capsule, replay_capsule
from triggers.codec import encode_object


class CapsuleDiffers(AssertionError):
    """The engine decides otherwise than captured."""


def replay(capsule: Path | str, rules: Mapping[str, object] | None = None) -> Replayed:
    """Replay a file that `triggers capture` wrote: its session, and what was decided at each event.

    Raises CapsuleDiffers, naming every difference, BadCapsule for a file that is none. With `rules`, which take the
    place of the captured ones, nothing is compared: assert what the session should come to.
    """
    path = Path(capsule)
    replayed = replay_capsule(load_capsule(path), None if rules is None else encode_object(rules, "rules"))
    if rules is None and replayed.differences:
        raise CapsuleDiffers("\n".join([f"{path} does not replay as captured:", *replayed.differences]))
    return replayed
