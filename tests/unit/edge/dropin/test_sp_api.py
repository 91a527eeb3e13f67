"""The bodies of createRestrictedDataToken that an SDK sends, read or refused by their field."""

import json

import pytest
from sellergate_common.errors import InvalidRequest
from sellergate_edge.dropin.sp_api import _resources

PATH = "/orders/v0/orders/{orderId}/address"


def test_resources_are_read_with_and_without_data_elements() -> None:
    rows = [
        {"method": "GET", "path": PATH},
        {"method": "GET", "path": PATH, "dataElements": ["buyerInfo", "shippingAddress"]},
        {"method": "GET", "path": PATH, "dataElements": None},
    ]
    assert _resources(json.dumps({"restrictedResources": rows}).encode()) == (
        ("GET", PATH, ()),
        ("GET", PATH, ("buyerInfo", "shippingAddress")),
        ("GET", PATH, ()),
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b"{",
        b"[" * 60_000,
        b'{"restrictedResources": ' + b"[" * 60_000,
        b'{"restrictedResources": ' + b"9" * 5_000 + b"}",
        b'{"restrictedResources": {"method": "GET", "path": "/x"}}',
        b'{"restrictedResources": [{"method": "GET"}]}',
        b'{"restrictedResources": [{"method": "GET", "path": "/\\ud800"}]}',
        b'{"restrictedResources": [{"method": ["GET"], "path": "/x"}]}',
        b'{"restrictedResources": [{"method": "GET", "path": "/x", "dataElements": ["\\udfff"]}]}',
        b'{"restrictedResources": [{"method": "GET", "path": "/x", "dataElements": 7}]}',
        b'{"restrictedResources": [{"method": "GET", "path": "/x", "dataElements": [[]]}]}',
    ],
)
def test_what_holds_no_resources_names_the_field(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _resources(body)
    assert [violation.field for violation in caught.value.violations] == ["restrictedResources"]


def test_a_target_application_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="targetApplication"):
        _resources(b'{"restrictedResources": [], "targetApplication": "amzn1.sp.solution.x"}')
