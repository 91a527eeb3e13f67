"""The edge's app: dependencies, routes, problem documents and middleware, put together."""

import time
from dataclasses import dataclass, field

from fastapi import FastAPI
from sellergate_amazon.operations import Catalogue
from sellergate_common.observability.telemetry import RpcMetrics

from sellergate_edge import openapi, route_table
from sellergate_edge.dependencies import Dependencies, provide
from sellergate_edge.dropin.sp_api import DropIn
from sellergate_edge.middleware import Compressed, RequestContext, cross_origin
from sellergate_edge.routes import problems

DESCRIPTION = "Connect Amazon seller accounts, and call any operation of the Selling Partner API for them."


@dataclass(frozen=True, slots=True)
class Options:
    """How the app behaves. `dropin_wait`: seconds that an SDK's call may wait for quota where its header names none."""

    cors_origins: tuple[str, ...] = ()
    https: bool = False
    dropin_wait: float = 0.0
    metrics: RpcMetrics = field(default_factory=RpcMetrics)


def make_app(dependencies: Dependencies, options: Options) -> FastAPI:
    """Return the app. It holds no secret of Amazon's and no business rule; it decides which user sends a request."""
    app = FastAPI(
        title="Sellergate",
        version="1",
        description=DESCRIPTION,
        redirect_slashes=False,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    provide(app, dependencies)
    problems.install(app)
    drop_in = DropIn(
        dependencies.tokens,
        dependencies.sellergate,
        dependencies.limits,
        Catalogue.load(),
        options.dropin_wait,
        time.monotonic,
    )
    route_table.install(app, route_table.route_table(app, dependencies, drop_in))
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign]  # (FastAPI's documented way)
    app.add_middleware(Compressed)
    app.add_middleware(cross_origin, origins=options.cors_origins)
    app.add_middleware(RequestContext, metrics=options.metrics, https=options.https)
    return app
