"""A catalogue from models and overrides is the same each time, and the gateway accepts every row."""

from pathlib import Path
from typing import Any

import pytest
from sellergate_amazon.catalogue_file import text_of
from sellergate_amazon.data_files import DataFileError
from sellergate_amazon.models.making import Made, made
from sellergate_amazon.models.overrides import Overrides
from sellergate_amazon.operations import BUNDLED, Catalogue

from tests.fakes.amazon_models import orders, stock, write_models, write_overrides

ADDED = {"api": "x", "version": "v1", "operation_id": "y", "method": "GET", "path": "/x/v1/y", "source": "s"}


def result(folder: Path, **sections: Any) -> Made:
    return made(
        write_models(folder, orders=orders(), stock=stock()), Overrides.read(write_overrides(folder, **sections))
    )


def test_the_same_models_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (text_of(result(tmp_path).rows) for _ in range(2))
    assert first == second
    (tmp_path / "catalogue.json").write_text(first)
    assert len(Catalogue.read(tmp_path / "catalogue.json")) == 11


def test_two_methods_with_one_id_get_different_names(tmp_path: Path) -> None:
    names = [row["name"] for row in result(tmp_path).rows]
    assert names == sorted(names)
    assert [name for name in names if ":" in name] == ["orders/2030-01-01/link:POST", "orders/2030-01-01/link:PUT"]


def test_operations_that_models_lack_are_added_until_models_have_them(tmp_path: Path) -> None:
    found = result(tmp_path, added=[ADDED])
    assert (len(found.rows), found.notes) == (12, ())
    added = next(row for row in found.rows if row["name"] == "x/v1/y")
    assert (added["success_status"], added["envelope"], added["rate"]) == (200, "bare", None)
    known = result(tmp_path, added=[{**ADDED, "path": "/stock/v1/items"}])
    assert (len(known.rows), len(known.notes)) == (11, 1)
    assert "GET /stock/v1/items" in known.notes[0]


def test_an_operation_that_its_model_calls_grantless_needs_a_scope(tmp_path: Path) -> None:
    document = stock()
    document["paths"]["/stock/v1/items"]["put"]["description"] = "The `putItems` operation is grantless. More."
    folder = write_models(tmp_path, stock=document)
    (note,) = made(folder, Overrides.read(write_overrides(tmp_path))).notes
    assert note.startswith("stock/v1/putItems: its model says that it is grantless")
    scope = {"operation": "stock/v1/putItems", "grantless_scope": "sellingpartnerapi::stock", "source": "s"}
    assert made(folder, Overrides.read(write_overrides(tmp_path, facts=[scope]))).notes == ()


def test_an_operation_whose_response_has_a_token_and_that_takes_none_is_noted(tmp_path: Path) -> None:
    document = stock()
    document["paths"]["/stock/v1/items"]["get"]["parameters"] = []
    folder = write_models(tmp_path, stock=document)
    (note,) = made(folder, Overrides.read(write_overrides(tmp_path))).notes
    assert note.startswith("stock/v1/listItems: its response has the token of a next page (nextPageToken)")
    rule = {"paginated_by": "token", "next_token_path": "nextPageToken", "next_operation": "stock/v1/listItems"}
    known = {"operation": "stock/v1/listItems", **rule, "source": "s"}
    assert made(folder, Overrides.read(write_overrides(tmp_path, facts=[known]))).notes == ()


@pytest.mark.parametrize(
    ("added", "words"),
    [
        ({**ADDED, "method": "GET", "path": "no-path"}, "path must be a path"),
        ({key: value for key, value in ADDED.items() if key != "api"}, "api"),
        ({**ADDED, "rate": 1.0}, "rate and burst must both be given"),
    ],
)
def test_an_added_row_that_the_gateway_would_refuse_is_refused(
    tmp_path: Path, added: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataFileError, match=words):
        result(tmp_path, added=[added])


def test_two_models_with_one_path_are_refused(tmp_path: Path) -> None:
    write_models(tmp_path, other=stock())
    with pytest.raises(DataFileError, match="has the method and path of other/v1"):
        result(tmp_path)


def test_the_catalogue_of_the_release_is_as_this_code_writes_it() -> None:
    from sellergate_amazon.catalogue_file import read_rows

    assert text_of(read_rows(BUNDLED)) == BUNDLED.read_text("utf-8")


def test_the_catalogue_of_the_release_has_every_override_in_it() -> None:
    overrides = Overrides.read()
    catalogue = Catalogue.load()
    for name, sets in overrides.facts.items():
        operation = catalogue.get(name)
        assert operation is not None, name
        for fact, value in (pair for one in sets for pair in one.items()):
            expected = (
                tuple(value.items()) if isinstance(value, dict) else tuple(value) if isinstance(value, list) else value
            )
            assert getattr(operation, fact) == expected, (name, fact)
    for row in overrides.added:
        operation = catalogue.get(f"{row['api']}/{row['version']}/{row['operation_id']}")
        assert operation is not None
        assert (operation.method, operation.path) == (row["method"], row["path"])
