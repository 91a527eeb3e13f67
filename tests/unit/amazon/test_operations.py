"""The catalogue: a request finds the operation of each row, and no string makes the router fail."""

import json
import re
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sellergate_amazon.operations import BUNDLED, Catalogue, Operation

CATALOGUE = Catalogue.load()
OPERATIONS = list(CATALOGUE)
AWKWARD = "a b/c%2F+ü{x}"
TEXT = st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])).filter(
    lambda text: text not in {".", ".."}
)


def expect(name: str) -> Operation:
    operation = CATALOGUE.get(name)
    assert operation is not None
    return operation


def test_the_file_holds_one_row_a_line_by_name() -> None:
    lines = BUNDLED.read_text("utf-8").splitlines()
    assert (lines[0], lines[-1]) == ("[", "]")
    names = [json.loads(line.rstrip(","))["name"] for line in lines[1:-1]]
    assert names == sorted(set(names))
    assert [operation.name for operation in OPERATIONS] == names
    assert len(CATALOGUE) == len(names) > 300


def test_it_is_read_once() -> None:
    assert Catalogue.load() is CATALOGUE


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_each_operation_routes_to_itself(operation: Operation) -> None:
    params = {name: f"{AWKWARD}-{position}" for position, name in enumerate(operation.parameter_names)}
    path = operation.expand(params)
    found = CATALOGUE.match(operation.method, path)
    assert found is not None
    assert found.operation is operation
    assert found.path_params == params
    assert CATALOGUE.get(operation.name) is operation
    assert re.fullmatch(r"[A-Za-z0-9/._~%-]+", path)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_the_facts_of_each_row_have_the_shapes_they_claim(operation: Operation) -> None:
    assert operation.name.startswith(f"{operation.api}/{operation.version}/{operation.operation_id}")
    assert (operation.rate is None) == (operation.burst is None) == (operation.rate_source is None)
    assert operation.rate is None or operation.rate > 0
    assert operation.envelope in {"payload", "bare", "array", None}
    assert operation.sandbox in {"static", "dynamic", None}
    assert 200 <= operation.success_status < 300
    assert (operation.paginated_by is None) == (operation.next_token_path is None)
    assert isinstance(operation.restricted_data_elements, tuple)


def test_the_only_clash_of_names_is_resolved_by_method() -> None:
    assert expect("shipping/v2/linkCarrierAccount:PUT").method == "PUT"
    assert expect("shipping/v2/linkCarrierAccount:POST").method == "POST"
    assert [o.name for o in OPERATIONS if ":" in o.name and "linkCarrierAccount" not in o.name] == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("searchOrders", "orders/2026-01-01/searchOrders"),
        ("orders/v0/getOrder", "orders/v0/getOrder"),
        ("getOrder", None),  # three APIs have an operation of this name
        ("linkCarrierAccount", None),
        ("", None),
        ("orders/v0/nothing", None),
    ],
)
def test_get_accepts_full_names_and_unique_ids(text: str, name: str | None) -> None:
    found = CATALOGUE.get(text)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("method", "path", "name", "params"),
    [
        ("POST", "/fba/inventory/v1/items/inventory", "addInventory", {}),
        ("DELETE", "/fba/inventory/v1/items/inventory", "deleteInventoryItem", {"sellerSku": "inventory"}),
        ("DELETE", "/fba/inventory/v1/items/a%2Fb", "deleteInventoryItem", {"sellerSku": "a/b"}),
        ("GET", "/orders/v0/orders/902-1/orderItems/buyerInfo", "getOrderItemsBuyerInfo", {"orderId": "902-1"}),
        ("GET", "/orders/%76%30/orders", "orders/v0/getOrders", {}),
        (
            "POST",
            "/uploads/2020-11-01/uploadDestinations/messaging/v1/orders/1/messages/invoice",
            "createUploadDestinationForResource",
            {"resource": "messaging/v1/orders/1/messages/invoice"},
        ),
    ],
)
def test_static_wins_parameters_decode_and_uploads_span(
    method: str, path: str, name: str, params: dict[str, str]
) -> None:
    found = CATALOGUE.match(method, path)
    assert found is not None
    assert found.operation is expect(name)
    assert found.path_params == params


@pytest.mark.parametrize("resource", ["aplus/2020-11-01/contentDocuments", "messaging/v1/orders/1 é/messages/invoice"])
def test_a_parameter_that_spans_segments_keeps_its_slashes(resource: str) -> None:
    operation = expect("createUploadDestinationForResource")
    path = operation.expand({"resource": resource})
    assert path.startswith("/uploads/2020-11-01/uploadDestinations/" + resource.partition(" ")[0])
    assert path.count("/") == 4 + resource.count("/")
    found = CATALOGUE.match("POST", path)
    assert found is not None
    assert (found.operation, found.path_params) == (operation, {"resource": resource})
    for wrong in ("", "/", "a//b", "a/../b", "./a", "a/", ".."):
        with pytest.raises(ValueError, match="'resource' may not have a segment"):
            operation.expand({"resource": wrong})
    assert expect("orders/v0/getOrder").expand({"orderId": "a/b"}) == "/orders/v0/orders/a%2Fb"


def test_static_wins_deeper_down_and_gives_way_where_it_leads_nowhere() -> None:
    shape = {"version": "1", "operation_id": "x", "method": "GET"}
    template = json.loads(BUNDLED.read_text("utf-8"))[0]

    def row(name: str, path: str) -> dict[str, Any]:
        return {**template, **shape, "name": name, "path": path}

    tree = Catalogue.of_rows([row("ab", "/{a}/b"), row("xc", "/x/{c}"), row("xcd", "/x/{c}/d"), row("abe", "/{a}/b/e")])
    expected = {"/x/b": "xc", "/y/b": "ab", "/x/b/d": "xcd", "/x/b/e": "abe", "/x/c/e": None}
    assert {path: (m.operation.name if (m := tree.match("GET", path)) else None) for path in expected} == expected


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/"),
        ("GET", "orders/v0/orders"),
        ("GET", "/orders/v0/orders/"),
        ("GET", "//orders/v0/orders"),
        ("GET", "/orders/v0//orders"),
        ("GET", "/orders%2Fv0/orders"),
        ("get", "/orders/v0/orders"),
        ("PUT", "/orders/v0/orders"),
        ("GET", "/Orders/v0/orders"),
        ("POST", "/uploads/2020-11-01/uploadDestinations/"),
        ("POST", "/auth/o2/token"),
    ],
)
def test_requests_that_match_no_operation(method: str, path: str) -> None:
    assert CATALOGUE.match(method, path) is None


@given(st.sampled_from(["GET", "POST", "", "X", "\udcff"]), st.text())
@example("GET", "/" * 100_000)
@example("POST", "/uploads/2020-11-01/uploadDestinations/" + "a/" * 50_000)
@example("GET", "/orders/v0/orders/%")
@example("GET", "/orders/v0/orders/%ff\udcff")
def test_no_string_upsets_the_router(method: str, path: str) -> None:
    CATALOGUE.match(method, path)
    CATALOGUE.match(method, f"/{path}")
    CATALOGUE.match("GET", f"/orders/v0/orders/{path}")
    CATALOGUE.get(path)


@given(TEXT)
def test_any_text_travels_in_a_parameter(text: str) -> None:
    operation = expect("orders/v0/getOrder")
    path = operation.expand({"orderId": text})
    assert path == f"/orders/v0/orders/{quote(text, safe='')}"
    found = CATALOGUE.match("GET", path)
    assert found is not None
    assert found.path_params == {"orderId": text}


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({}, "orderId"),
        ({"orderId": "1", "sku": "2"}, "sku"),
        ({"orderId": ""}, "orderId"),
        ({"orderId": ".."}, "orderId"),
        ({"orderId": "\ud800"}, "orderId"),
    ],
)
def test_expand_names_the_parameter_it_refuses(params: dict[str, str], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        expect("orders/v0/getOrder").expand(params)


def test_idempotent_by_method() -> None:
    assert {o.method: o.idempotent for o in OPERATIONS} == {
        "GET": True, "PUT": True, "DELETE": True, "POST": False, "PATCH": False,
    }  # fmt: skip


def test_rates_say_where_they_come_from() -> None:
    assert {o.rate_source for o in OPERATIONS} == {"model", "sdk", None}
    search = expect("searchOrders")
    assert (search.rate, search.burst, search.rate_source) == (0.0056, 20, "model")
    added = expect("addInventory")
    assert (added.rate, added.burst, added.rate_source) == (2.0, 3, "sdk")


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/aplus/2020-11-01/media", "createMedia"),
        ("GET", "/aplus/2020-11-01/media/m1", "getMedia"),
        ("PATCH", "/aplus/2020-11-01/media/m1", "updateMedia"),
        ("POST", "/externalFulfillment/2026-07-30/location", "createSandboxLocation"),
        ("POST", "/externalFulfillment/2024-09-11/shipments", "createSandboxShipment"),
        ("PATCH", "/externalFulfillment/2024-09-11/shipments/s1", "updateSandboxShipment"),
        ("GET", "/finances/remittances/2026-03-17/remittances", "getRemittanceHeaders"),
        ("GET", "/finances/remittances/2026-03-17/remittances/p1", "getRemittance"),
        ("GET", "/promotions/2025-12-01/promotions", "searchPromotions"),
        ("GET", "/promotions/2025-12-01/promotions/p1", "getPromotion"),
        ("GET", "/promotions/2025-12-01/promotions/p1/selections/s1", "getSelection"),
        ("POST", "/support/2025-02-01/cases", "listCases"),
        ("GET", "/support/2025-02-01/cases/c1", "getCase"),
        ("GET", "/support/2025-02-01/cases/c1/contacts", "listContacts"),
    ],
)
def test_operations_that_only_amazons_sdk_has_are_known(method: str, path: str, name: str) -> None:
    found = CATALOGUE.match(method, path)
    assert found is not None
    assert found.operation.operation_id == name
    assert found.operation.sandbox_only is ("Sandbox" in name)


def test_every_operation_of_amazons_sdk_is_known() -> None:
    calls = re.compile(r"call_api\(\s*'([^']+)',\s*'([A-Z]+)'")
    folder = distribution("amzn-sp-api").locate_file("spapi/api")
    data_elements = {
        (method, path)
        for file in Path(str(folder)).rglob("*.py")
        for path, method in calls.findall(file.read_text("utf-8"))
    }
    assert len(data_elements) > 300
    unknown = {
        (method, path) for method, path in data_elements if CATALOGUE.match(method, re.sub(r"[{}]", "", path)) is None
    }
    assert not unknown
