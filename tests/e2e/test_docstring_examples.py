"""The examples in docstrings, each run on the running suite with the settings of an internal service."""

import ast
import asyncio
import contextlib
import doctest
import io
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import sellergate_client
from sellergate_client import Sellergate

from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller
from tests.e2e.test_examples import settings
from tests.paths import ROOT

FOLDERS = ("libs", "services", "simulator", "simulation", "benches", "examples", "scripts")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def examples() -> Iterator[tuple[str, str]]:
    """Yield the place and the source of the examples of each docstring."""
    for path in sorted(one for folder in FOLDERS for one in (ROOT / folder).rglob("*.py") if "stubs" not in one.parts):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)) if ">>> " in text else ():
            docstring = isinstance(node, _DOCUMENTED) and ast.get_docstring(node)
            if docstring and (found := doctest.DocTestParser().get_examples(docstring)):
                assert not any(one.want for one in found), "Output in an example would be compared with nothing."
                name = getattr(node, "name", path.parent.name)
                yield f"{path.relative_to(ROOT)}:{name}", "".join(one.source for one in found)


EXAMPLES = dict(examples())


def test_the_client_library_has_examples() -> None:
    assert len(EXAMPLES) >= 4
    assert all(place.startswith("libs/client/") for place in EXAMPLES), "no other package's examples are run here"


@pytest.mark.parametrize("place", EXAMPLES)
async def test_an_example_runs(
    rest: Rest, seller: Seller, fast: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    account_id = await rest.connect(seller)
    monkeypatch.chdir(tmp_path)
    for name, value in settings(rest, account_id).items():
        monkeypatch.setenv(name, value)
    names = {name: getattr(sellergate_client, name) for name in sellergate_client.__all__}
    names |= {"account_id": account_id, "account_ids": [account_id], "path": "/sellers/v1/marketplaceParticipations"}
    source, output = EXAMPLES[place], io.StringIO()
    is_async = "async " in source
    exec(f"{'async ' * is_async}def example():\n{textwrap.indent(source, '    ')}", names)
    with contextlib.redirect_stdout(output):
        if not is_async:
            await asyncio.to_thread(names["example"])
        else:
            async with Sellergate.connect() as names["sellergate"]:
                await names["example"]()
    assert "ATVPDKIKX0DER" in output.getvalue()
