"""The README links to every page, no link of a page is dead, and every decision has a number of its own."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("docs", "deploy", "examples", "schemas", "benchmarks")
PAGES = [*ROOT.glob("*.md"), *chain.from_iterable((ROOT / folder).rglob("*.md") for folder in FOLDERS)]
NAMED = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "operations").glob("*.md")]


def test_the_readme_names_every_page() -> None:
    readme = (ROOT / "README.md").read_text()

    pages = [page.relative_to(ROOT).as_posix() for page in NAMED]

    assert pages
    assert [page for page in pages if f"]({page})" not in readme] == []


def test_every_link_of_a_page_leads_somewhere() -> None:
    dead = [f"{page.relative_to(ROOT)}: {link}" for page in PAGES for link in _links(page) if not _leads(page, link)]

    assert dead == []


def test_every_decision_has_a_number_of_its_own() -> None:
    names = sorted(page.name for page in (ROOT / "docs" / "decisions").glob("*.md"))

    assert [int(name.split("-")[0]) for name in names] == list(range(1, len(names) + 1))
    titles = [(ROOT / "docs" / "decisions" / name).read_text().split(" ", 2)[1] for name in names]
    assert titles == [f"{number}." for number in range(1, len(names) + 1)]


def _links(page: Path) -> list[str]:
    """Return the targets inside the repository."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    targets = [part.split(")", 1)[0] for part in prose.split("](")[1:]]
    return [target for target in targets if "://" not in target]


def _leads(page: Path, link: str) -> bool:
    """Return whether the file of a link exists and has the heading that its anchor names."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in _anchors(target))


def _anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
