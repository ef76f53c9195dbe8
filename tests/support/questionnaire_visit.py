"""Answers the questionnaire of examples/django_questionnaire through its views."""

from __future__ import annotations

import json
import sys

import django
from django.test import Client


def visit(pages: int, *, embedded: bool) -> int:
    """Answers all pages and returns the questionnaire's id."""
    browser = Client()
    questionnaire = browser.post("/questionnaires/").json()["questionnaire_id"]
    for page in range(1, pages + 1):
        answers = {"page": page, "name": f"Ada {page}", "browser": "Firefox/142"}
        form = answers | ({"embedded": "1"} if embedded else {})
        assert browser.post(f"/questionnaires/{questionnaire}/responses", form).status_code == 200
    assert browser.post(f"/questionnaires/{questionnaire}/complete").status_code == 200
    return int(questionnaire)


def unresolved(questionnaire: int) -> list[str]:
    """Returns the instances that are not resolved."""
    names: list[str] = Client().get(f"/questionnaires/{questionnaire}/progress").json()["unresolved"]
    return names


if __name__ == "__main__":
    django.setup()
    if sys.argv[1] == "visit":
        sys.stdout.write(json.dumps([visit(3, embedded=False), visit(2, embedded=True)]))
    else:
        sys.stdout.write(json.dumps([unresolved(int(argument)) for argument in sys.argv[2:]]))
