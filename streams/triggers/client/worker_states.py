"""`read_worker_states`: asks all workers which partitions they have, and how far their restores have come."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from triggers.client.worker_requests import WorkerRequests, decode_answer
from triggers.errors import TriggersError
from triggers.queries.answers import WorkerState
from triggers.settings import Settings

_MAX_THREADS: Final = 16


def read_worker_states(
    settings: Settings, urls: Iterable[str], timeout_s: float
) -> tuple[dict[str, WorkerState], dict[str, str]]:
    """Returns the state of each worker that answers in time, and why the others did not, by their URLs. Blocks."""
    requests, states, silent = WorkerRequests(settings), dict[str, WorkerState](), dict[str, str]()

    def ask(url: str) -> WorkerState | str:
        try:
            return decode_answer(requests.get(url, "/partitions", timeout_s), url, WorkerState)
        except TriggersError as error:
            return str(error)

    wanted = list(urls)
    with ThreadPoolExecutor(min(_MAX_THREADS, max(1, len(wanted))), "workers") as threads:
        for url, answer in zip(wanted, threads.map(ask, wanted), strict=True):
            if isinstance(answer, str):
                silent[url] = answer
            else:
                states[url] = answer
    return states, silent
