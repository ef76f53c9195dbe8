"""The databases of the tasks: a SQL database and a document store.

The document store keeps each JSON document in a file. It is written under a temporary name and renamed, so that many
processes can write safely and a reader never sees half a document. Every write has the task's id as its key, so
repeating it changes nothing. Every execution of a task is also counted, so that the check sees what ran twice.
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
    """Both databases, in one folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "questionnaires.sqlite3"
        self.documents = folder / "responses"

    def create(self) -> None:
        """Creates the databases if they do not exist."""
        self.documents.mkdir(parents=True, exist_ok=True)
        with self.connect() as sql:
            sql.execute("PRAGMA journal_mode=WAL")
            sql.executescript(_SCHEMA)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Opens a connection that commits at the end of the block. It waits while other processes write."""
        sql = sqlite3.connect(self._file, timeout=60)
        try:
            sql.execute("PRAGMA synchronous=NORMAL")
            with sql:
                yield sql
        finally:
            sql.close()

    def add_subject(self, task_id: str, session: str, name: str) -> int:
        """Adds a subject and returns its id, which the database chooses."""
        with self.connect() as sql:
            self._count(sql, task_id)
            sql.execute(
                "INSERT OR IGNORE INTO subjects (task_id, session, name) VALUES (?, ?, ?)", (task_id, session, name)
            )
            (found,) = sql.execute("SELECT id FROM subjects WHERE task_id = ?", (task_id,)).fetchone()
        return int(found)

    def add_browser(self, task_id: str, session: str, subject: int, browser: str) -> None:
        """Adds what is known of the subject's browser."""
        with self.connect() as sql:
            self._count(sql, task_id)
            sql.execute("INSERT OR IGNORE INTO browsers VALUES (?, ?, ?, ?)", (task_id, session, subject, browser))

    def add_responses(self, task_id: str, session: str, subject: int, responses: dict[str, object]) -> None:
        """Adds a page of responses."""
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
        """Returns the rows of a query of the SQL database."""
        with self.connect() as sql:
            return sql.execute(query).fetchall()

    def responses(self) -> Iterator[dict[str, Any]]:
        """Yields all documents."""
        for file in sorted(self.documents.glob("*/*.json")):
            yield json.loads(file.read_text())

    def executions(self) -> int:
        """Returns the number of executions so far."""
        (found,) = self.rows("SELECT count(*) FROM executions")[0]
        return int(str(found))
