"""Workers say which partitions they have and how far restores are; those that do not are named with the reason."""

from __future__ import annotations

import json

from tests.unit.client.http_server import serving

from triggers.client.worker_states import read_worker_states
from triggers.queries import RestoringPartition, WorkerState
from triggers.settings import Settings

SETTINGS = Settings(brokers="127.0.0.1:1", read_token="t" * 40)
NOBODY = "http://127.0.0.1:1"


def test_each_worker_answers_for_itself_and_with_the_token() -> None:
    body = json.dumps({"ready": [0], "restoring": [{"partition": 2, "rows": 100, "restored": 40}]}).encode()
    with serving(lambda _: (200, body)) as site, serving(lambda _: (404, b'{"error": "no such path"}')) as old:
        states, silent = read_worker_states(SETTINGS, [site.url, old.url, NOBODY], 5.0)

    assert states == {
        site.url: WorkerState(ready=[0], restoring=[RestoringPartition(partition=2, rows=100, restored=40)])
    }
    assert silent[old.url] == "no such path"
    assert "does not answer" in silent[NOBODY]
    ((path, headers),) = site.asked
    assert (path, headers["Authorization"]) == ("/partitions", f"Bearer {SETTINGS.read_token}")
