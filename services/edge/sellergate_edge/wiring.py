"""The composition of the edge, for `__main__`."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from sellergate_client import Sellergate
from sellergate_client.authorizations import Authorizations
from sellergate_client.rotations import Rotations
from sellergate_common.crypto.sealing import KeyRing
from sellergate_common.identity.metrics import certificate_metrics
from sellergate_common.identity.tls import Identity
from sellergate_common.observability.telemetry import RpcMetrics
from sellergate_common.redis_client import open_redis
from sellergate_common.tasks import BackgroundTasks

from sellergate_edge.app import Options, make_app
from sellergate_edge.authn.authenticator import Authenticator
from sellergate_edge.authn.jwks import JwksKeys
from sellergate_edge.authn.jwks_publisher import Publisher
from sellergate_edge.authn.jwt import JwtAuthenticator, Keys, SharedSecret
from sellergate_edge.console.assets import SIGNED_IN
from sellergate_edge.dependencies import Dependencies
from sellergate_edge.dropin.tokens import DropInTokens
from sellergate_edge.health import make_health_app
from sellergate_edge.limits.guesses import Guesses
from sellergate_edge.limits.limiter import Limits, Rate
from sellergate_edge.limits.redis import RedisCounts
from sellergate_edge.listening.certificate import PublicCertificate
from sellergate_edge.listening.connections import Connections, Proxies
from sellergate_edge.listening.listener import ListenerOptions
from sellergate_edge.listening.server import Server, allowed_connections, make_server
from sellergate_edge.routes.website import Website
from sellergate_edge.settings import EdgeSettings
from sellergate_edge.sign_in.id_tokens import SignedIdTokens
from sellergate_edge.sign_in.provider import AiohttpProvider
from sellergate_edge.sign_in.sign_in import Client, SignIn

# Connections to the health port.
PROBES = 32


@asynccontextmanager
async def open_servers(settings: EdgeSettings) -> AsyncIterator[list[Server]]:
    """Wire the edge by hand: the public listener, and the one for health where it has a port."""
    identity = Identity.read(settings)
    background = BackgroundTasks()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        await enter(certificate_metrics(identity, background))
        website = Website(
            await enter(Authorizations.connect(settings.token_target, identity)),
            settings.seller_central,
            secure=settings.public_url.startswith("https:"),
            login_page=settings.oauth_login_page,
            done_page=settings.oauth_done_page,
        )
        ring = settings.dropin_keys.get_secret_value()
        redis = await enter(open_redis(settings.redis_url, settings.redis_tls))
        counts = RedisCounts(redis, KeyRing.parse(ring), time.monotonic)
        keys = _keys(settings, background)
        authenticator = JwtAuthenticator(keys, settings.jwt_audience, settings.jwt_issuer, time.time)
        dependencies = Dependencies(
            authenticator=authenticator,
            sellergate=await enter(Sellergate.connect(settings.gateway_target, settings.account_target, identity)),
            rotations=await enter(Rotations.connect(settings.token_target, identity)),
            website=website,
            limits=Limits(counts, Rate(settings.user_rate, settings.user_burst), time.monotonic),
            guesses=Guesses(counts, time.monotonic),
            tokens=DropInTokens(ring, time.time),
            sign_in=_sign_in(settings, keys, authenticator, KeyRing.parse(ring)),
            operators=settings.operators,
        )
        metrics = RpcMetrics.register()
        metrics.background = background
        app = make_app(dependencies, Options(settings.origins, website.secure, settings.dropin_max_wait, metrics))
        certificate = None
        if settings.edge_tls_cert_file is not None and settings.edge_tls_key_file is not None:
            certificate = PublicCertificate(settings.edge_tls_cert_file, settings.edge_tls_key_file)
            await enter(background.run("edge_certificate", lambda: certificate.renew(asyncio.sleep)))
        forwarded = settings.forwarded_allow_ips
        most = allowed_connections(settings.max_connections)
        connections = Connections(most, settings.max_connections_of_address, Proxies(forwarded))
        options = ListenerOptions(connections, certificate.context if certificate else None, asyncio.sleep)
        servers = [
            make_server(
                app,
                settings.bind_host,
                settings.edge_port,
                options,
                forwarded=forwarded,
                drain_seconds=settings.drain_seconds,
                keep_alive_seconds=settings.keep_alive_seconds,
            )
        ]
        if settings.health_port:
            health = ListenerOptions(Connections(PROBES, PROBES, Proxies("")), None, asyncio.sleep)
            probed = make_health_app(dependencies.sellergate, background)
            port, setting = settings.health_port, "SELLERGATE_HEALTH_PORT"
            servers.append(make_server(probed, settings.bind_host, port, health, setting=setting))
        yield servers


def _keys(settings: EdgeSettings, background: BackgroundTasks) -> Keys:
    if settings.jwt_secret is not None:
        return SharedSecret(settings.jwt_secret)
    assert settings.jwks_url is not None  # noqa: S101  (the settings hold exactly one)
    keys = JwksKeys(Publisher(settings.jwks_url, route=settings.outbound), time.monotonic)
    background.watch("jwks", keys.problem)
    return keys


def _sign_in(settings: EdgeSettings, keys: Keys, authenticator: Authenticator, ring: KeyRing) -> SignIn | None:
    if settings.sign_in_client_id is None:
        return None
    home = settings.public_url.rstrip("/")
    client = Client(
        settings.sign_in_client_id,
        settings.jwt_issuer,
        settings.sign_in_scope,
        f"{home}/{SIGNED_IN}",
        f"{home}/",
        settings.sign_in_token == "access_token",
    )
    provider = AiohttpProvider(
        client.issuer,
        client.client_id,
        settings.sign_in_client_secret,
        client.redirect_uri,
        time.monotonic,
        settings.outbound,
    )
    id_tokens = SignedIdTokens(keys, client.client_id, client.issuer, time.time)
    return SignIn(client, provider, id_tokens, authenticator, ring, time.time, lambda: secrets.token_urlsafe(32))
