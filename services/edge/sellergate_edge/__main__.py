"""The edge: REST for the frontend, thin, and the only process that is reachable from outside."""

from contextlib import AsyncExitStack

import uvicorn
import uvloop
from sellergate_client import Sellergate
from sellergate_client.authorizations import Authorizations
from sellergate_client.rotations import Rotations
from sellergate_common.logs import configure_logging, get_logger
from sellergate_common.redis_client import open_redis
from sellergate_common.sealing import KeyRing
from sellergate_common.settings import load_settings
from sellergate_common.tls import Identity

from sellergate_edge.app import Options, Parts, make_app
from sellergate_edge.authentication import Authenticator, JwksKeys, Keys, SharedSecret
from sellergate_edge.dropin_tokens import DropInTokens
from sellergate_edge.limits import Limits, Rate
from sellergate_edge.redis_limits import RedisCounts
from sellergate_edge.settings import EdgeSettings
from sellergate_edge.website import Website


def main() -> None:
    """Run the edge until it is told to stop."""
    settings = load_settings(EdgeSettings)
    configure_logging("edge", settings.log_level)
    uvloop.run(serve(settings))


async def serve(settings: EdgeSettings) -> None:
    """Wire the edge by hand and serve it."""
    async with AsyncExitStack() as stack:
        identity = Identity.read(settings)
        sellergate = await stack.enter_async_context(
            Sellergate.connect(settings.gateway_target, settings.account_target, identity)
        )
        rotations = await stack.enter_async_context(Rotations.connect(settings.token_target, identity))
        authorizations = await stack.enter_async_context(Authorizations.connect(settings.token_target, identity))
        website = Website(
            authorizations,
            settings.centrals,
            secure=settings.public_url.startswith("https:"),
            login_page=settings.oauth_login_page,
            done_page=settings.oauth_done_page,
        )
        ring = settings.dropin_keys.get_secret_value()
        redis = await stack.enter_async_context(open_redis(settings.redis_url, settings.redis_tls))
        parts = Parts(
            Authenticator(_keys(settings), settings.jwt_audience, settings.jwt_issuer),
            sellergate,
            rotations,
            website,
            Limits(RedisCounts(redis, KeyRing.parse(ring)), Rate(settings.user_rate, settings.user_burst)),
            DropInTokens(ring),
        )
        server = uvicorn.Server(
            uvicorn.Config(
                make_app(parts, Options(settings.origins, website.secure, settings.dropin_max_wait)),
                host=settings.bind_host,
                port=settings.edge_port,
                http="httptools",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=bool(settings.forwarded_allow_ips),
                forwarded_allow_ips=settings.forwarded_allow_ips,
                timeout_graceful_shutdown=settings.drain_seconds,
            )
        )
        get_logger().info("serving", address=f"{settings.bind_host}:{settings.edge_port}")
        await server.serve()
        get_logger().info("stopped")


def _keys(settings: EdgeSettings) -> Keys:
    if settings.jwt_secret is not None:
        return SharedSecret(settings.jwt_secret)
    assert settings.jwks_url is not None  # noqa: S101  (the settings hold exactly one)
    return JwksKeys(settings.jwks_url)


if __name__ == "__main__":
    main()
