"""`make docs`: the site is built with every link checked, and its pages load nothing from another host."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    clone = tmp_path_factory.mktemp("docs") / "sellergate"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], check=True)
    done = subprocess.run(
        ["make", "docs", f"PYTHON={sys.executable}"],
        cwd=clone,
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return clone / "site"


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    pages = [*site.rglob("*.html")]
    assert len(pages) > 60
    for page in pages:
        text = page.read_text("utf-8")
        loaded = re.findall(r"<(?:script|img|iframe)[^>]+src=\"(https?:)?//", text)
        loaded += re.findall(r"<link[^>]+rel=\"(?:stylesheet|preconnect|icon|preload)\"[^>]+href=\"https?://", text)
        assert not loaded, page
    assert not [one for one in site.rglob("*.css") if re.search(r"url\(['\"]?https?://", one.read_text("utf-8"))]


def test_the_reference_names_every_method_route_command_and_name(site: Path) -> None:
    grpc, rest = ((site / "reference" / f"{name}.html").read_text("utf-8") for name in ("grpc", "rest"))
    for proto in (ROOT / "protos").rglob("*.proto"):
        for method in re.findall(r"^  rpc (\w+)", proto.read_text(), re.MULTILINE):
            assert f"<code>{method}</code>" in grpc, method
    assert "GET /api/amazon/accounts" in rest
    assert "sellergate keys rotate" in (site / "reference" / "commands.html").read_text("utf-8")
    assert "SellingPartner.pages" in (site / "reference" / "client.html").read_text("utf-8")


def test_programs_find_a_list_of_all_pages(site: Path) -> None:
    text = (site / "llms.txt").read_text("utf-8")
    named = set(re.findall(r"\]\(([\w/.-]+\.html)\)", text))
    assert named == {str(page.relative_to(site)) for page in site.rglob("*.html") if page.name != "404.html"}
