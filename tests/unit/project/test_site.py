"""The generated pages of the documentation site: each is complete, and llms.txt has a sentence about a page."""

from pathlib import Path

import sellergate_client

from scripts.site import client, commands, rest
from scripts.site.llms import Summary, llms_text
from tests.paths import ROOT


def test_the_page_of_the_client_library_has_every_public_name() -> None:
    page = client.page(ROOT)
    assert all(f"\n## {name}\n" in page for name in sellergate_client.__all__)
    assert "\n### SellingPartner.pages\n" in page


def test_the_page_of_commands_has_arguments_and_options() -> None:
    section = commands.page(ROOT).partition("\n## sellergate keys rotate\n")[2].partition("\n## ")[0]
    assert "| `FILE` |" in section
    assert "| `--kms` |" in section


def test_the_page_of_routes_has_parameters_and_statuses() -> None:
    section = rest.page(Path()).partition("\n## GET /api/amazon/accounts\n")[2].partition("\n## ")[0]
    assert "| parameter |" in section
    assert "| 200 |" in section


def test_the_list_of_pages_has_titles_and_first_sentences() -> None:
    text = "# Redis\n\n<!-- test: x -->\n```\nshell\n```\n\nAll replicas share [one](x.md) Redis.\n\nMore.\n"
    summary = Summary.of("redis.html", text)
    assert summary == Summary("redis.html", "Redis", "All replicas share one Redis.")
    assert llms_text("Name", "About.", [summary]).endswith("- [Redis](redis.html): All replicas share one Redis.\n")
