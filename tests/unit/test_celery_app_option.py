"""`-A`: an app is found by module or module:name, and every other value is refused with the reason."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from celery import Celery

from triggers.cli.celery_app import load_app
from triggers.errors import CallError

MODULES = {
    "c18_good": "from celery import Celery\napp = Celery('good')\n",
    "c18_factory": "from celery import Celery\ndef make():\n    return Celery('made')\n",
    "c18_none": "x = 1\n",
    "c18_broken": "import no_such_library\n",
    "c18_syntax": "x = (\n",
    "c18_exits": "raise SystemExit(3)\n",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "app"), [("c18_good", "good"), ("c18_good:app", "good"), ("c18_factory:make", "made")]
)
def test_an_app_is_found(name: str, app: str) -> None:
    found = load_app(name)

    assert (type(found), found.main) == (Celery, app)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("c18_missing", "No module named 'c18_missing'"),
        ("c18_none", "has no attribute 'celery'"),
        ("c18_none:app", "c18_none has no 'app'"),
        ("c18_none:x", "it is a int, not a Celery app"),
        ("c18_broken", "No module named 'no_such_library'"),
        ("c18_syntax", "SyntaxError"),
        ("c18_exits", "SystemExit"),
        ("./c18_good.py", "must be a module such as shop.celery"),
        ("a/b:app", "must be a module such as shop.celery"),
        ("", "must be a module"),
        (":", "must be a module"),
        ("c18_good:", "must be a module"),
    ],
)
def test_anything_else_is_refused_with_the_value_and_the_reason(name: str, why: str) -> None:
    with pytest.raises(CallError, match="--app") as refused:
        load_app(name)

    assert why in str(refused.value)
