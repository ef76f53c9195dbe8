"""`JobThreads`: runs jobs in threads of a process that serves others."""

from __future__ import annotations

import threading
from typing import Final

import structlog

from triggers.client.session_reader import SessionReader
from triggers.client.session_search import SessionSearch
from triggers.errors import Overloaded, TriggersError
from triggers.jobs.job_log import JobLog
from triggers.jobs.planner import JobPlanner
from triggers.jobs.runner import JobRunner
from triggers.settings import Settings

_MAX_RUNNING: Final = 4

_log: Final = structlog.get_logger(__name__)


class JobThreads:
    """The jobs of one process. If it ends, they can be resumed by any other. Thread-safe."""

    def __init__(self, settings: Settings, search: SessionSearch, reader: SessionReader) -> None:
        self.log: Final = JobLog(settings)
        self.planner: Final = JobPlanner(settings, self.log, search, reader)
        self._runner = JobRunner(settings, self.log, reader)
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._stop = threading.Event()

    def check_free(self) -> None:
        """Raises Overloaded if no further job can run now."""
        if len(self._running) >= _MAX_RUNNING:
            raise Overloaded(f"{_MAX_RUNNING} jobs are running; try again when one is finished")

    def start(self, job_id: str) -> None:
        """Begins to run a job, unless it runs here already. Raises Overloaded."""
        with self._lock:
            if job_id in self._running:
                return
            self.check_free()
            self._running.add(job_id)
        threading.Thread(target=self._run, args=(job_id,), name=f"job-{job_id}", daemon=True).start()

    def close(self) -> None:
        """Asks the jobs to stop after their current batch. Does not wait, because a job can be resumed at any point."""
        self._stop.set()

    def _run(self, job_id: str) -> None:
        try:
            self._runner.run(job_id, stop=self._stop)
        except TriggersError as error:
            _log.warning("a job has ended early and can be resumed", job=job_id, error=str(error))
        except Exception:  # noqa: BLE001  # a thread has no caller who could report it
            _log.exception("a job has ended early and can be resumed", job=job_id)
        finally:
            with self._lock:
                self._running.discard(job_id)
