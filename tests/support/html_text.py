"""What a browser without scripts makes of a page."""

from __future__ import annotations

from html.parser import HTMLParser


class HtmlText(HTMLParser):
    """The words, links and scripts of a page. It asserts that no element has an event handler."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.images: list[str] = []
        self.scripts: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert not any(name.startswith("on") for name in values), f"{tag} has a handler: {values}"
        assert "style" not in values, f"{tag} has a style, which the policy forbids: {values}"
        if tag == "script":
            self.scripts.append(values.get("src"))
        if tag == "img":
            self.images.append(values.get("src") or "")
        if tag == "a":
            self.links.append(values["href"] or "")

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        """All words of the page, with one space between them."""
        return " ".join(" ".join(self.words).split())

    @property
    def lines(self) -> list[str]:
        """The lines of the page's text, as `pre` shows them."""
        return [line.strip() for word in self.words for line in word.splitlines()]
