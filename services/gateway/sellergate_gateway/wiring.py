"""Puts the pipeline together, for `__main__`: calls, and a simpler pipeline by which Restricted Data Tokens are fetched."""

import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from redis.asyncio import Redis
from sellergate_amazon.operations import Catalogue
from sellergate_common.cache_metrics import CacheMetrics
from sellergate_common.context import time_left
from sellergate_common.deadlines import UNARY_SECONDS
from sellergate_common.sites import Sites

from sellergate_gateway.aiohttp_amazon import open_amazon
from sellergate_gateway.aiohttp_documents import open_documents
from sellergate_gateway.breakers import Breakers
from sellergate_gateway.buckets import Buckets
from sellergate_gateway.call_metrics import CallCollector, CallMetrics
from sellergate_gateway.call_tokens import CallTokens, SellerTokens
from sellergate_gateway.calls import Calls, Ports
from sellergate_gateway.captured_amazon import CapturedAmazon
from sellergate_gateway.captures import open_captures
from sellergate_gateway.checks import Checks
from sellergate_gateway.documents import Documents
from sellergate_gateway.operations import Operations
from sellergate_gateway.pages import Pages
from sellergate_gateway.ports import Quota
from sellergate_gateway.redis_captures import RedisCaptures
from sellergate_gateway.redis_restricted import RedisReportTypes
from sellergate_gateway.report_runs import ReportRuns
from sellergate_gateway.report_types import ReportDocuments
from sellergate_gateway.restricted import RestrictedTokens
from sellergate_gateway.servicer import GatewayServicer
from sellergate_gateway.servicer_captures import CaptureServicer
from sellergate_gateway.servicer_streams import Streams
from sellergate_gateway.settings import GatewaySettings
from sellergate_gateway.shared_quota import LocalQuota, ShadowQuota, SharedQuota
from sellergate_gateway.signing import SigV4Signer
from sellergate_gateway.sources import open_sources
from sellergate_gateway.uploads import Uploads


@dataclass(frozen=True, slots=True)
class _Quota:
    """The quota of calls, and whom the changes that other replicas tell move."""

    quota: Quota
    base: LocalQuota


@asynccontextmanager
async def open_servicers(settings: GatewaySettings, redis: Redis) -> AsyncIterator[Sequence[object]]:
    """Wire the gateway by hand."""
    metrics = CallMetrics()
    quota = _quota(settings, redis, metrics)
    async with (
        open_amazon() as amazon,
        open_documents(settings.document_servers) as server,
        open_sources(settings, redis, quota.base.turns) as sources,
        open_captures(RedisCaptures(redis, settings.token_ring), sources.capture_log) as captures,
    ):
        catalogue = Catalogue.load()
        ports = Ports(
            catalogue,
            Sites(settings.production, settings.sandbox),
            Buckets(settings.token_ring, settings.interactive_share),
            sources.accounts,
            sources.credentials,
            SigV4Signer(),
            quota.quota,
            CapturedAmazon(amazon, captures, catalogue),
            Breakers(time.monotonic),
            partial(time_left, UNARY_SECONDS),
            random.random,
        )
        CallCollector.register(ports.counts, ports.breakers)
        plain = Calls(ports, SellerTokens(sources.tokens))
        restricted = RestrictedTokens(sources.restricted, catalogue, plain.make, time.time)
        CacheMetrics.register("restricted_data_tokens", lambda: sources.restricted.counts)
        documents = ReportDocuments(RedisReportTypes(redis, settings.token_ring), catalogue)
        calls = Calls(ports, CallTokens(sources.tokens, restricted, documents))
        checks = Checks(calls, sources.accounts, sources.tokens, sources.credentials, ports.sites)
        operations = Operations(catalogue, ports.sites, ports.buckets, ports.quota)
        downloads = Documents(calls, server)
        reports = ReportRuns(calls, downloads, sources.reports)
        streams = Streams(Pages(calls, catalogue), downloads, Uploads(calls, server), reports)
        yield (
            GatewayServicer(calls, checks, operations, restricted, streams, metrics),
            CaptureServicer(captures, operations),
        )


def _quota(settings: GatewaySettings, redis: Redis, metrics: CallMetrics) -> _Quota:
    base = LocalQuota(1.0) if settings.quota_mode == "local" else SharedQuota(redis)
    return _Quota(ShadowQuota(base, metrics.shadow_wait) if settings.quota_mode == "shadow" else base, base)
