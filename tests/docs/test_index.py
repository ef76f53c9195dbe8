"""The README links to every page, and no link of a page is dead."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_readme_names_every_page() -> None:
    readme = (ROOT / "README.md").read_text()

    pages = [page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").glob("*.md")]

    assert pages
    assert [page for page in pages if f"]({page})" not in readme] == []


def test_every_link_of_a_page_leads_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]

    dead = [f"{page.name}: {link}" for page in pages for link in _links(page) if not (page.parent / link).exists()]

    assert dead == []


def _links(page: Path) -> list[str]:
    """Return the targets inside the repository, without their anchors."""
    targets = [part.split(")", 1)[0] for part in page.read_text().split("](")[1:]]
    return [target.split("#")[0] for target in targets if target.split("#")[0] and "://" not in target]
