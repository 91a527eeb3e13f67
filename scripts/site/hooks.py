"""Hooks of MkDocs: they add the generated pages of the reference, resolve links out of docs/, and write llms.txt."""

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.site import client, commands, contracts, rest  # noqa: E402  (MkDocs loads this file without the project's path)
from scripts.site.llms import Summary, llms_text  # noqa: E402

GENERATED = {
    "reference/client.md": client.page,
    "reference/grpc.md": contracts.page,
    "reference/rest.md": rest.page,
    "reference/commands.md": commands.page,
}
_LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)[^)]*)\)")
_SUMMARIES: list[Summary] = []


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    for path, page in GENERATED.items():
        files.append(File.generated(config, path, content=page(ROOT)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Replace links to files of the repository that are no pages by the file's name."""
    docs = Path(config.docs_dir)

    def resolved(match: re.Match[str]) -> str:
        text, target = match.groups()
        place = (docs / page.file.src_uri).parent.joinpath(target.partition("#")[0]).resolve()
        if place.is_relative_to(docs):
            return match[0]
        name = place.relative_to(ROOT).as_posix()
        return text if text.strip("`") == name else f"{text} (`{name}`)"

    _SUMMARIES.append(Summary.of(page.file.url, markdown))
    return _LINK.sub(resolved, markdown)


def on_post_build(config: MkDocsConfig) -> None:
    """Write llms.txt, and remove the map of addresses, which would need the site's own address."""
    site = Path(config.site_dir)
    (site / "llms.txt").write_text(llms_text(config.site_name, str(config.site_description), _SUMMARIES), "utf-8")
    for name in ("sitemap.xml", "sitemap.xml.gz"):
        (site / name).unlink(missing_ok=True)
    _SUMMARIES.clear()
