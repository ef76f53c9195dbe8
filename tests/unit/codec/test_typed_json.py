"""Threads that decode into a class for the first time, all at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from triggers.codec.typed_json import decode_typed

RACE = """
import importlib
import sys
import threading

from triggers.codec.typed_json import decode_typed
from triggers.core import view

sys.setswitchinterval(1e-6)
TEXT = (
    b'{"uid": "s1", "created": 1, "modified": 1, "events": 1, "tasks": [], "instances": [], "latest_kwargs": {},'
    b' "unresolved_tasks": [], "unresolved_instances": []}'
)


def decode(kind: type, start: threading.Barrier) -> None:
    start.wait()
    assert decode_typed(TEXT, kind).uid == "s1"


for _ in range(30):
    kind, start = importlib.reload(view).SessionView, threading.Barrier(8)
    threads = [threading.Thread(target=decode, args=(kind, start)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
print("done")
"""


def test_threads_that_decode_into_a_new_class_at_once_do_not_end_the_process(tmp_path: Path) -> None:
    script = tmp_path / "race.py"
    script.write_text(RACE)

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=120)

    assert (done.returncode, done.stdout.strip()) == (0, "done"), done.stderr[-2000:]


def test_another_shape_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        decode_typed(b"[]", dict)
