"""The path of a pass-through call: as it was sent, or as a generated client has encoded it in one segment."""

import pytest
from sellergate_edge.routes.pass_through import _target

PREFIX = "/api/amazon/accounts/a%2D1/sp-api"


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ("/sellers/v1/marketplaceParticipations", "/sellers/v1/marketplaceParticipations"),
        ("/sellers%2Fv1%2FmarketplaceParticipations", "/sellers/v1/marketplaceParticipations"),
        ("/sellers%2fv1%2fmarketplaceParticipations", "/sellers/v1/marketplaceParticipations"),
        # A SKU with a slash, with slashes of the path's own, and encoded once more as a whole.
        ("/listings/2021-08-01/items/A1/B%2F2", "/listings/2021-08-01/items/A1/B%2F2"),
        ("/listings%2F2021-08-01%2Fitems%2FA1%2FB%252F2", "/listings/2021-08-01/items/A1/B%2F2"),
        ("/catalog%2F2022-04-01%2Fitems%2FB0%20b%3F%23", "/catalog/2022-04-01/items/B0%20b%3F%23"),
        ("/a%2Fb%FF", "/a/b%FF"),
        ("/a%2F..%2Fb", "/a/../b"),
        ("/alone", "/alone"),
        ("", ""),
    ],
)
def test_a_path_in_one_segment_gets_its_slashes_back(sent: str, path: str) -> None:
    assert _target(f"{PREFIX}{sent}".encode()) == ("a-1", path)
