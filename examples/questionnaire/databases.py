"""Where the tasks put things: a SQL database, and a document store.

The document store keeps one JSON document a file, each written to a temporary name and renamed, so that many processes
write safely and a reader never sees half a document. Every write has the task's id as its key: doing it again changes
nothing. Every execution of a task is counted beside that, so that the check sees what ran twice.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS subjects (
    id INTEGER PRIMARY KEY, task_id TEXT UNIQUE NOT NULL, session TEXT NOT NULL, name TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS browsers (
    task_id TEXT PRIMARY KEY, session TEXT NOT NULL, subject INTEGER NOT NULL, browser TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS executions (task_id TEXT NOT NULL);
"""


class Databases:
    """Both, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "questionnaires.sqlite3"
        self.documents = folder / "responses"

    def create(self) -> None:
        """Make what is not there."""
        self.documents.mkdir(parents=True, exist_ok=True)
        with self.connect() as sql:
            sql.execute("PRAGMA journal_mode=WAL")
            sql.executescript(_SCHEMA)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """A connection that commits at the end of the block; waits while other processes write."""
        sql = sqlite3.connect(self._file, timeout=60)
        try:
            sql.execute("PRAGMA synchronous=NORMAL")
            with sql:
                yield sql
        finally:
            sql.close()

    def add_subject(self, task_id: str, session: str, name: str) -> int:
        """The subject's id, which the database chooses."""
        with self.connect() as sql:
            self._count(sql, task_id)
            sql.execute(
                "INSERT OR IGNORE INTO subjects (task_id, session, name) VALUES (?, ?, ?)", (task_id, session, name)
            )
            (found,) = sql.execute("SELECT id FROM subjects WHERE task_id = ?", (task_id,)).fetchone()
        return int(found)

    def add_browser(self, task_id: str, session: str, subject: int, browser: str) -> None:
        """What is known of the subject's browser."""
        with self.connect() as sql:
            self._count(sql, task_id)
            sql.execute("INSERT OR IGNORE INTO browsers VALUES (?, ?, ?, ?)", (task_id, session, subject, browser))

    def add_responses(self, task_id: str, session: str, subject: int, responses: dict[str, object]) -> None:
        """A page of responses."""
        folder = self.documents / session
        folder.mkdir(exist_ok=True)
        document = {"task_id": task_id, "session": session, "subject": subject, "responses": responses}
        name = task_id.replace("/", "~")
        scratch = folder / f".{name}.{os.getpid()}"
        scratch.write_text(json.dumps(document))
        scratch.rename(folder / f"{name}.json")
        with self.connect() as sql:
            self._count(sql, task_id)

    def _count(self, sql: sqlite3.Connection, task_id: str) -> None:
        sql.execute("INSERT INTO executions VALUES (?)", (task_id,))

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Rows of a query of the SQL database."""
        with self.connect() as sql:
            return sql.execute(query).fetchall()

    def responses(self) -> Iterator[dict[str, Any]]:
        """All documents."""
        for file in sorted(self.documents.glob("*/*.json")):
            yield json.loads(file.read_text())

    def executions(self) -> int:
        """How many tasks have run so far."""
        (found,) = self.rows("SELECT count(*) FROM executions")[0]
        return int(str(found))
