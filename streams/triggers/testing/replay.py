"""Replays captured sessions in tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from triggers.analysis.input_file import InputFile
from triggers.analysis.verify.capsules import Replayed, load_capsule, replay_capsule
from triggers.codec import encode_object


class CapsuleDiffers(AssertionError):
    """The engine's decisions differ from the captured ones."""


def replay(capsule: Path | str, rules: Mapping[str, object] | None = None) -> Replayed:
    """Replays a file that `triggers capture` wrote and returns the session and the decision on each event.

    Raises CapsuleDiffers, which names every difference, and BadCapsule or BadInput if the file is not a capsule. If
    `rules` are given, they replace the captured ones and nothing is compared; the test asserts the state of the session
    itself.
    """
    captured = load_capsule(InputFile(capsule))
    replayed = replay_capsule(captured, None if rules is None else encode_object(rules, "rules"))
    if rules is None and replayed.differences:
        raise CapsuleDiffers("\n".join([f"{capsule} does not replay as captured:", *replayed.differences]))
    return replayed
