"""The list of Sellergate's own path prefixes, and its effects."""

import pytest
from sellergate_amazon.operations import Catalogue
from sellergate_edge import own_paths


@pytest.mark.parametrize(
    ("path", "is_own", "is_public", "is_compressed"),
    [
        ("/", True, True, False),
        ("/api/amazon/accounts", True, False, True),
        ("/api/amazon/accounts/a/sp-api/orders/v0/orders", True, False, False),
        ("/auth/o2/token", True, False, False),
        ("/console/console.js", True, True, True),
        ("/docs", True, True, True),
        ("/openapi.json", True, True, True),
        ("/orders/v0/orders", False, False, False),
        ("/nope", False, False, False),
    ],
)
def test_each_path_has_one_owner(path: str, is_own: bool, is_public: bool, is_compressed: bool) -> None:
    found = own_paths.is_own(path), own_paths.is_public(path), own_paths.is_compressed(path)
    assert found == (is_own, is_public, is_compressed)


def test_no_operation_of_amazon_has_a_path_of_sellergate() -> None:
    assert not [operation.path for operation in Catalogue.load() if own_paths.is_own(operation.path)]
