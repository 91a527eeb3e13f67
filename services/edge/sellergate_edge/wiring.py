"""Puts the edge together, for `__main__`."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from sellergate_client import Sellergate
from sellergate_client.authorizations import Authorizations
from sellergate_client.rotations import Rotations
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.identity.metrics import certificate_metrics
from sellergate_common.identity.tls import Identity
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.redis_client import open_redis
from sellergate_common.tasks import BackgroundTasks

from sellergate_edge.app import Options, Parts, make_app
from sellergate_edge.authn.jwks import JwksKeys
from sellergate_edge.authn.jwks_publisher import Publisher
from sellergate_edge.authn.jwt import Authenticator, Keys, SharedSecret
from sellergate_edge.dropin.tokens import DropInTokens
from sellergate_edge.limits.limiter import Limits, Rate
from sellergate_edge.limits.redis import RedisCounts
from sellergate_edge.routes.website import Website
from sellergate_edge.settings import EdgeSettings


@asynccontextmanager
async def open_app(settings: EdgeSettings) -> AsyncIterator[FastAPI]:
    """Wire the edge by hand."""
    identity = Identity.read(settings)
    background = BackgroundTasks()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(certificate_metrics(identity, background))
        website = Website(
            await enter(Authorizations.connect(settings.token_target, identity)),
            settings.centrals,
            secure=settings.public_url.startswith("https:"),
            login_page=settings.oauth_login_page,
            done_page=settings.oauth_done_page,
        )
        ring = settings.dropin_keys.get_secret_value()
        redis = await enter(open_redis(settings.redis_url, settings.redis_tls))
        parts = Parts(
            Authenticator(_keys(settings, background), settings.jwt_audience, settings.jwt_issuer, time.time),
            await enter(Sellergate.connect(settings.gateway_target, settings.account_target, identity)),
            await enter(Rotations.connect(settings.token_target, identity)),
            website,
            Limits(
                RedisCounts(redis, KeyRing.parse(ring), time.monotonic),
                Rate(settings.user_rate, settings.user_burst),
                time.monotonic,
            ),
            DropInTokens(ring, time.time),
            background,
        )
        metrics = RpcMetrics.register()
        metrics.background = background
        yield make_app(parts, Options(settings.origins, website.secure, settings.dropin_max_wait, metrics))


def _keys(settings: EdgeSettings, background: BackgroundTasks) -> Keys:
    if settings.jwt_secret is not None:
        return SharedSecret(settings.jwt_secret)
    assert settings.jwks_url is not None  # noqa: S101  (the settings hold exactly one)
    keys = JwksKeys(Publisher(settings.jwks_url), time.monotonic)
    background.watch("jwks", keys.problem)
    return keys
