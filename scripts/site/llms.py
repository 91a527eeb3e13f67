"""llms.txt: a list of all pages with a sentence about each, for programs that read documentation."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")
_MOST = 200


@dataclass(frozen=True, slots=True)
class Summary:
    """A page's address, title and first paragraph."""

    url: str
    title: str
    text: str

    @classmethod
    def of(cls, url: str, markdown: str) -> Self:
        """Return the summary of a page."""
        title = next((line.removeprefix("# ") for line in markdown.splitlines() if line.startswith("# ")), url)
        blocks = [block.strip() for block in re.split(r"\n\s*\n", markdown)]
        prose = (block for block in blocks if block and block[0] not in "#|<-!>" and not block.startswith("```"))
        first = " ".join(_LINK.sub(r"\1", next(prose, "")).split())
        return cls(url, title, first if len(first) <= _MOST else first[:_MOST].rpartition(" ")[0] + " …")


def llms_text(name: str, description: str, pages: Iterable[Summary]) -> str:
    """Return the file's text."""
    lines = [f"- [{page.title}]({page.url}): {page.text}" for page in pages]
    return "\n".join([f"# {name}", "", f"> {description}", "", "## Pages", "", *lines, ""])
