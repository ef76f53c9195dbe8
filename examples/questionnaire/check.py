"""Checks that the databases are exactly as the rules say. It reads only the databases and prints its report as JSON.

python -m questionnaire.check FOLDER COUNT SEED
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from questionnaire.databases import Databases
from questionnaire.questionnaires import Questionnaire, questionnaires


class Check:
    """Compares the answered questionnaires with what the tasks have stored."""

    def __init__(self, databases: Databases, answered: list[Questionnaire]) -> None:
        self._answered = answered
        subjects = databases.rows("SELECT session, id, name FROM subjects")
        browsers = databases.rows("SELECT session, subject, browser FROM browsers")
        self.subjects = {str(session): (int(str(number)), str(name)) for session, number, name in subjects}
        self.browsers = {str(session): (int(str(subject)), str(browser)) for session, subject, browser in browsers}
        self.subject_rows, self.browser_rows = len(subjects), len(browsers)
        self.documents = list(databases.responses())
        self.executions = Counter(str(task_id) for (task_id,) in databases.rows("SELECT task_id FROM executions"))

    @property
    def expected_tasks(self) -> int:
        """Ids of the tasks that the rules run."""
        return sum(1 + session.pages + (not session.embedded) for session in self._answered)

    @property
    def repeated(self) -> int:
        """Number of executions beyond the first of each task."""
        return sum(self.executions.values()) - len(self.executions)

    def table(self) -> list[tuple[str, int, int]]:
        """Returns rows of what was counted, the expected number and the actual number."""
        sessions = self._answered
        return [
            ("subjects", len(sessions), self.subject_rows),
            ("pages of responses", sum(session.pages for session in sessions), len(self.documents)),
            ("browsers", sum(not session.embedded for session in sessions), self.browser_rows),
            ("browsers of embedded applications", 0, sum(s.embedded for s in sessions if s.uid in self.browsers)),
            ("different tasks that ran", self.expected_tasks, len(self.executions)),
        ]

    def problems(self) -> list[str]:
        """Returns everything that is wrong, or an empty list."""
        counts = [
            f"{what}: expected {expected}, found {found}" for what, expected, found in self.table() if expected != found
        ]
        return [*counts, *self._wrong_subjects(), *self._wrong_pages(), *self._wrong_browsers()]

    def _wrong_subjects(self) -> Iterator[str]:
        for session in self._answered:
            if self.subjects.get(session.uid, (0, ""))[1] != session.name:
                yield f"{session.uid}: subject {self.subjects.get(session.uid)}, expected the name {session.name!r}"

    def _wrong_pages(self) -> Iterator[str]:
        found = Counter((str(d["session"]), int(d["subject"]), int(d["responses"]["page"])) for d in self.documents)
        for session in self._answered:
            subject = self.subjects.get(session.uid, (0, ""))[0]
            expected = {(session.uid, subject, page) for page in range(1, session.pages + 1)}
            if missing := sorted(page for _, _, page in expected - set(found)):
                yield f"{session.uid}: pages {missing} are missing or have another subject"
        if twice := [place for place, count in found.items() if count > 1]:
            yield f"pages stored twice: {twice[:5]}"

    def _wrong_browsers(self) -> Iterator[str]:
        for session in self._answered:
            subject = self.subjects.get(session.uid, (0, ""))[0]
            expected = None if session.embedded else (subject, session.browser.partition("/")[0])
            if self.browsers.get(session.uid) != expected:
                yield f"{session.uid}: browser {self.browsers.get(session.uid)}, expected {expected}"

    def report(self) -> dict[str, object]:
        """Returns the report as plain data."""
        before_and_after = (s.uid for s in self._answered if s.pages_before < s.pages and not s.embedded)
        return {
            "table": self.table(),
            "problems": self.problems(),
            "repeated": self.repeated,
            "sample": next(before_and_after, self._answered[0].uid),
        }


if __name__ == "__main__":
    check = Check(Databases(Path(sys.argv[1])), questionnaires(int(sys.argv[2]), int(sys.argv[3])))
    print(json.dumps(check.report()))
    sys.exit(bool(check.problems()))
