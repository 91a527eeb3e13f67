"""The edge's app: routes, problems and the request's context, put together."""

from fastapi import FastAPI
from sellergate_client import Sellergate
from sellergate_client.rotations import Rotations

from sellergate_edge import accounts, checks, health, oauth, pass_through, problems, webhooks
from sellergate_edge.authentication import Authenticator
from sellergate_edge.middleware import RequestContext
from sellergate_edge.website import Website

DESCRIPTION = "The REST edge of Sellergate: a user's own Amazon seller accounts, and any SP-API call for them."


def make_app(authenticator: Authenticator, sellergate: Sellergate, rotations: Rotations, website: Website) -> FastAPI:
    """Wire the app. It holds no secret and no business rule: what it decides is who asks."""
    app = FastAPI(title="Sellergate", version="1", description=DESCRIPTION, redirect_slashes=False)
    app.state.authenticator = authenticator
    app.state.sellergate = sellergate
    app.state.rotations = rotations
    app.state.website = website
    problems.install(app)
    app.include_router(checks.router)
    # Before the account routes, whose {id} it extends; raw, so that FastAPI validates and rebuilds nothing.
    app.router.routes.append(pass_through.route)
    app.include_router(accounts.router)
    app.include_router(webhooks.router)
    app.include_router(oauth.router)
    app.include_router(oauth.browser_router)
    app.include_router(health.router)
    document = app.openapi
    app.openapi = lambda: pass_through.describe(document())  # type: ignore[method-assign]  # (FastAPI's documented way)
    app.add_middleware(RequestContext)
    return app
