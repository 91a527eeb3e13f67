"""The order of the routes, which decides which route serves a request."""

import base64
import time
from typing import Any

import pytest
from fastapi import APIRouter
from sellergate_amazon.operations import Catalogue
from sellergate_edge import own_paths
from sellergate_edge.app import Options, make_app
from sellergate_edge.dependencies import Dependencies
from sellergate_edge.dropin.sp_api import DropIn, DropInRoot
from sellergate_edge.dropin.tokens import DropInTokens
from sellergate_edge.route_table import route_table
from sellergate_edge.routes import pass_through
from starlette.routing import BaseRoute, Match

RING = f"k1 {base64.urlsafe_b64encode(bytes(64)).decode()}"
DEPENDENCIES = Dependencies(None, None, None, None, None, None, DropInTokens(RING, time.time))  # type: ignore[arg-type]
APP = make_app(DEPENDENCIES, Options())
TABLE = route_table(
    APP,
    DEPENDENCIES,
    DropIn(DEPENDENCIES.tokens, None, None, Catalogue.load(), 0.0, time.monotonic),  # type: ignore[arg-type]
)


def path_of(entry: APIRouter | BaseRoute) -> str:
    return str(getattr(entry, "prefix", None) or getattr(entry, "path", ""))


def test_the_pass_through_route_is_first_and_the_drop_in_endpoint_last() -> None:
    assert TABLE[0] is pass_through.route
    assert isinstance(TABLE[-1], DropIn)
    order = [path_of(entry) for entry in TABLE]
    assert order == [
        "/api/amazon/accounts/{account_id}/sp-api/{path:path}",
        "/api/amazon/test",
        "/api/amazon/accounts",
        "/api/amazon/accounts",
        "/api/amazon/accounts",
        "/api/amazon/accounts",
        "/api/amazon",
        "/api/amazon/clients",
        "/api/amazon/webhooks",
        "/api/amazon/oauth",
        "/api/amazon/oauth",
        "/api/sign-in",
        "/{sp-api}",
        *[path for path in order if path == "/" or path.startswith("/console")],
        "/docs",
        "/docs/start.js",
        "/docs/{name}",
        "/openapi.json",
        "/auth/o2/token",
        "/{sp-api}",
    ]


def test_every_route_of_the_app_is_in_the_table() -> None:
    routers = [entry for entry in TABLE if isinstance(entry, APIRouter)]
    served = list(APP.router.routes)
    assert len(served) == len(TABLE)
    for entry, route in zip(TABLE, served, strict=True):
        if isinstance(entry, APIRouter):
            assert getattr(route, "original_router", None) is entry
        else:
            assert (type(route), path_of(route)) == (type(entry), path_of(entry))
    assert len(routers) == 11


def test_every_route_except_the_drop_ins_has_an_own_path() -> None:
    for entry in TABLE:
        assert isinstance(entry, DropIn | DropInRoot) or own_paths.is_own(path_of(entry)), path_of(entry)


def scope_of(path: str, token: bool, method: str = "GET") -> dict[str, Any]:
    headers = [(b"x-amz-access-token", b"t")] if token else []
    return {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": headers}


@pytest.mark.parametrize(
    ("path", "token", "method", "is_drop_ins"),
    [
        ("/", False, "GET", False),
        ("/", True, "GET", True),
        ("/", True, "POST", True),
        ("/orders/v0/orders", False, "GET", True),
        ("/orders/v0/orders", False, "DELETE", True),
        ("/orders/v9/unknown", False, "GET", True),
        ("/nope", False, "GET", False),
        ("/nope", True, "GET", True),
        ("/docs", True, "GET", False),
        ("/api/amazon/accounts", True, "GET", False),
    ],
)
def test_the_drop_in_endpoint_serves_requests_of_sdks(path: str, token: bool, method: str, is_drop_ins: bool) -> None:
    routes = [entry for entry in TABLE if isinstance(entry, BaseRoute)]
    scope = {**scope_of(path, token, method)}
    first = next((route for route in routes if route.matches(dict(scope))[0] is not Match.NONE), None)
    assert isinstance(first, DropIn | DropInRoot) is is_drop_ins
