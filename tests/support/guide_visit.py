"""Fills in the guide's questionnaire as one person: python -m tests.support.guide_visit UID [embedded]."""

from __future__ import annotations

import sys

from tests.support.guide_app import RULES, manager_of


def visit(uid: str, *, embedded: bool) -> None:
    """Fires every trigger through a new manager, as the guide's views do."""
    manager_of(uid).update_configuration(RULES)
    if embedded:
        manager_of(uid).fire("isEmbeddedApplication")
    manager_of(uid).fire(trigger_name="firstPageReceived", trigger_kwargs={"responses": {"name": "Marcus"}})
    for page in (1, 2):
        manager_of(uid).fire(trigger_name="pageReceived", trigger_kwargs={"responses": {"page": page}})
    manager_of(uid).fire("questionnaireComplete")


if __name__ == "__main__":
    visit(sys.argv[1], embedded="embedded" in sys.argv[2:])
