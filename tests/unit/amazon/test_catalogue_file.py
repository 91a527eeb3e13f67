"""A catalogue file is read completely, or refused with its name, the entry and the invalid fact."""

import json
from pathlib import Path
from typing import Any

import pytest
from sellergate_amazon.catalogue_file import read_rows, text_of
from sellergate_amazon.data_files import DataFileError
from sellergate_amazon.operations import BUNDLED, Catalogue

ROW: dict[str, Any] = next(row for row in read_rows(BUNDLED) if row["name"] == "orders/v0/getOrder")
MISSING = object()


def written(folder: Path, *rows: Any) -> Path:
    file = folder / "catalogue.json"
    file.write_text(json.dumps(rows), "utf-8")
    return file


@pytest.mark.parametrize(
    ("fact", "value", "words"),
    [
        ("name", "", "entry 2 (): name must be a text"),
        ("name", 1, "entry 2: name must be a text"),
        ("api", MISSING, "api is missing"),
        ("method", "get", 'method must be one of "GET", '),
        ("path", "orders/v0", "path must be a path"),
        ("path", "/orders/{a", "path must be a path"),
        ("path", "/orders/{a}/{a}", "path must not have a parameter twice"),
        ("rate", 0, "rate must be a number of calls a second"),
        ("rate", "1", "rate must be a number of calls a second"),
        ("rate", True, "rate must be a number of calls a second"),
        ("rate", None, "rate and burst must both be given, or both be null"),
        ("burst", 1.5, "burst must be a whole number"),
        ("burst", -1, "burst must be a whole number"),
        ("rate_source", "docs", 'rate_source must be one of "model", "sdk", null'),
        ("restricted", 1, "restricted must be true or false"),
        ("restricted_data_elements", "buyerInfo", "must be an array"),
        ("sandbox", "none", "sandbox must be one of"),
        ("success_status", 404, "success_status must be a status from 200 to 299"),
        ("envelope", "wrapped", "envelope must be one of"),
        ("next_token_path", "NextToken", "paginated_by and next_token_path must both be given"),
        ("parameters", ["MarketplaceIds"], "parameters must be an array"),
        ("document", "PDF", "document must be one of"),
        ("removal_date", "soon", "removal_date must be a day"),
        ("next_sets", {"a": 1}, "next_sets must be an object of texts"),
        ("next_operation", "orders/v0/none", "next_operation must name an operation of the file"),
        ("next_operation", "orders/v0/getOrder", "whose path has no parameters"),
        ("ratte", 1, "ratte is not a fact of the catalogue"),
    ],
)
def test_a_row_at_fault_is_named_with_its_fact(tmp_path: Path, fact: str, value: Any, words: str) -> None:
    row = {**ROW, "path": "/other", "name": "orders/v0/other", fact: value}
    file = written(tmp_path, ROW, {key: one for key, one in row.items() if one is not MISSING})
    with pytest.raises(DataFileError) as caught:
        Catalogue.read(file)
    assert str(caught.value).startswith(f"{file}: entry 2")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b"\xff\xfe", "is not JSON in UTF-8"),
        (b"[" * 100_000, "nests too deeply"),
        (b"{}", "must be a JSON array"),
        (b"[]", "must be a JSON array"),
        (b"[1]", "entry 1: must be an object"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "catalogue.json"
    file.write_bytes(content)
    with pytest.raises(DataFileError) as caught:
        Catalogue.read(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert words in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(DataFileError, match=r"cannot be read: "):
            Catalogue.read(file)


def test_two_rows_of_one_name_or_one_path_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"catalogue\.json: two operations are called orders/v0/getOrder"):
        Catalogue.read(written(tmp_path, ROW, {**ROW, "path": "/other"}))
    with pytest.raises(DataFileError, match=r"two operations have GET /orders/v0/orders/"):
        Catalogue.read(written(tmp_path, ROW, {**ROW, "name": "orders/v0/other"}))


def test_a_file_without_the_newer_facts_is_read(tmp_path: Path) -> None:
    file = written(tmp_path, {fact: value for fact, value in ROW.items() if fact not in ("parameters", "removal_date")})
    (operation,) = Catalogue.read(file)
    assert (operation.parameters, operation.removal_date) == (None, None)


def test_the_text_depends_on_no_order(tmp_path: Path) -> None:
    rows = read_rows(BUNDLED)
    mixed = [dict(reversed(row.items())) for row in reversed(rows)]
    assert text_of(mixed) == text_of(rows)
