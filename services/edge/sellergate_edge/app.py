"""The edge's app: routes, problems and the request's context, put together."""

import time
from dataclasses import dataclass, field

from fastapi import FastAPI
from sellergate_amazon.operations import Catalogue
from sellergate_client import Sellergate
from sellergate_client.rotations import Rotations
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.tasks import BackgroundTasks

from sellergate_edge import docs_page, openapi
from sellergate_edge.authn.jwt import Authenticator
from sellergate_edge.console import assets as console_assets
from sellergate_edge.console import routes as console_routes
from sellergate_edge.dropin.exchange import Exchange
from sellergate_edge.dropin.sp_api import DropIn
from sellergate_edge.dropin.tokens import DropInTokens
from sellergate_edge.limits.guesses import Guesses
from sellergate_edge.limits.limiter import Limits
from sellergate_edge.middleware import Compressed, RequestContext, cross_origin
from sellergate_edge.routes import (
    accounts,
    clients,
    diagnostics,
    oauth,
    pass_through,
    problems,
    verification,
    webhooks,
)
from sellergate_edge.routes.website import Website
from sellergate_edge.sign_in import routes as sign_in_routes
from sellergate_edge.sign_in.sign_in import SignIn

DESCRIPTION = "The REST edge of Sellergate: a user's own Amazon seller accounts, and any SP-API call for them."


@dataclass(frozen=True, slots=True)
class Parts:
    """What the routes are made of."""

    authenticator: Authenticator
    sellergate: Sellergate
    rotations: Rotations
    website: Website
    limits: Limits
    guesses: Guesses
    tokens: DropInTokens
    background: BackgroundTasks = field(default_factory=BackgroundTasks)
    sign_in: SignIn | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """How the app behaves. `dropin_wait`: seconds that an SDK's call may wait for quota."""

    cors_origins: tuple[str, ...] = ()
    https: bool = False
    dropin_wait: float = 0.0
    metrics: RpcMetrics = field(default_factory=RpcMetrics)


def make_app(parts: Parts, options: Options) -> FastAPI:
    """Wire the app. It holds no secret of Amazon's and no business rule: what it decides is who asks."""
    app = FastAPI(
        title="Sellergate",
        version="1",
        description=DESCRIPTION,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.state.authenticator = parts.authenticator
    app.state.sellergate = parts.sellergate
    app.state.rotations = parts.rotations
    app.state.website = parts.website
    app.state.limits = parts.limits
    app.state.guesses = parts.guesses
    app.state.background = parts.background
    app.state.sign_in = parts.sign_in
    problems.install(app)
    # First and raw: nothing is validated or rebuilt on the way of a call.
    app.router.routes.insert(0, pass_through.route)
    for router in (
        diagnostics.router,
        accounts.router,
        verification.router,
        console_routes.router,
        clients.router,
        webhooks.router,
        oauth.router,
        oauth.browser_router,
        sign_in_routes.router,
    ):
        app.include_router(router)
    console_assets.install(app)
    docs_page.install(app)
    openapi.install(app)
    catalogue = Catalogue.load()
    app.router.routes.append(Exchange(parts.tokens, parts.sellergate, parts.guesses, catalogue).route)
    # Last: it takes every path that is not ours.
    app.router.routes.append(
        DropIn(parts.tokens, parts.sellergate, parts.limits, catalogue, options.dropin_wait, time.monotonic)
    )
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]  # (FastAPI's documented way)
    app.add_middleware(Compressed)
    app.add_middleware(cross_origin, origins=options.cors_origins)
    app.add_middleware(RequestContext, metrics=options.metrics, https=options.https)
    return app
