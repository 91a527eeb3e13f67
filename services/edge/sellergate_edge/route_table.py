"""Every route of the edge, in the order in which a request is compared with them. The first that fits serves the request."""

from fastapi import APIRouter, FastAPI
from sellergate_amazon.operations import Catalogue
from starlette.routing import BaseRoute

from sellergate_edge import docs_page, openapi
from sellergate_edge.console import assets as console_assets
from sellergate_edge.console import routes as console_routes
from sellergate_edge.dependencies import Dependencies
from sellergate_edge.dropin.exchange import Exchange
from sellergate_edge.dropin.sp_api import DropIn, DropInRoot
from sellergate_edge.history import audit
from sellergate_edge.history import calls as recent_calls
from sellergate_edge.routes import accounts, clients, diagnostics, oauth, pass_through, verification, webhooks
from sellergate_edge.sign_in import routes as sign_in_routes


def route_table(app: FastAPI, dependencies: Dependencies, drop_in: DropIn) -> tuple[APIRouter | BaseRoute, ...]:
    """Return the routes in their order.

    The pass-through route is first: it is the most frequent one, and nothing validates or rebuilds a call on its way to Amazon.
    The drop-in endpoint is last: it takes every path of SP-API that no other route has. Only `/` has two owners, so the
    drop-in's part of it, requests with an SDK's token, comes before the console's page.
    """
    return (
        pass_through.route,
        diagnostics.router,
        accounts.router,
        verification.router,
        recent_calls.router,
        audit.router,
        console_routes.router,
        clients.router,
        webhooks.router,
        oauth.router,
        oauth.browser_router,
        sign_in_routes.router,
        DropInRoot(drop_in),
        *console_assets.routes(),
        *docs_page.routes(),
        openapi.route(app),
        Exchange(dependencies.tokens, dependencies.sellergate, dependencies.guesses, Catalogue.load()).route,
        drop_in,
    )


def install(app: FastAPI, table: tuple[APIRouter | BaseRoute, ...]) -> None:
    """Give an app the routes of a table, and no others."""
    for entry in table:
        if isinstance(entry, APIRouter):
            app.include_router(entry)
        else:
            app.router.routes.append(entry)
