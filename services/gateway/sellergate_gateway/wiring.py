"""The composition of the gateway: its shared sources, the pipeline and the servicers."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from redis.asyncio import Redis
from sellergate_amazon.operations import Catalogue
from sellergate_client.rpc.account_changes import ACCOUNT, GrpcAccountChanges
from sellergate_client.rpc.replicas import open_replicas
from sellergate_client.tokens import Tokens
from sellergate_common.blocking.threads import Threads
from sellergate_common.cache.invalidation import InvalidationFeed, InvalidationListener
from sellergate_common.cache.keyspace import (
    ACCOUNT_CHANGES,
    CREDENTIALS_CHANGES,
    CREDENTIALS_PREFIX,
    QUOTA_MOVES,
    REPORT_DONE,
    RESTRICTED_PREFIX,
    TOKEN_CHANGES,
    TOKEN_PREFIX,
)
from sellergate_common.cache.lru import TtlCache
from sellergate_common.cache.metrics import CacheMetrics
from sellergate_common.cache.redis_entries import RedisEntries
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.cache.stale_if_error import StaleIfErrorCache
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.clock_skew import measured_skew
from sellergate_common.context import new_request_id as new_id
from sellergate_common.context import time_left
from sellergate_common.feed.follower import ChangeFollower
from sellergate_common.feed.trust import Trust
from sellergate_common.flights.lease import LeaseNotifier
from sellergate_common.identity.tls import Identity
from sellergate_common.redis_client import UNREACHABLE
from sellergate_common.rpc.channel import open_channel
from sellergate_common.rpc.deadlines import STREAM_SECONDS, UNARY_SECONDS
from sellergate_common.rpc.health import Health
from sellergate_common.sites import Sites
from sellergate_common.tasks import BackgroundTasks

from sellergate_gateway import grpc_accounts
from sellergate_gateway.calls.breakers import Breakers
from sellergate_gateway.calls.diagnostics import Checks
from sellergate_gateway.calls.lateness import Lateness
from sellergate_gateway.calls.metrics import CallCollector, CallMetrics
from sellergate_gateway.calls.pagination import Pages
from sellergate_gateway.calls.pipeline import Calls
from sellergate_gateway.calls.state import Dependencies
from sellergate_gateway.captures.audit import GrpcCaptureLog
from sellergate_gateway.captures.recent import RecentCalls
from sellergate_gateway.captures.redis import RedisCaptures
from sellergate_gateway.captures.service import open_captures
from sellergate_gateway.captures.transport import CapturingAmazon
from sellergate_gateway.catalogue import Operations
from sellergate_gateway.credentials import access_tokens, aws_credentials
from sellergate_gateway.credentials.access_tokens import TokenSource
from sellergate_gateway.credentials.aws_credentials import CredentialSource
from sellergate_gateway.credentials.report_types import ReportDocuments
from sellergate_gateway.credentials.report_types_redis import RedisReportTypes
from sellergate_gateway.credentials.restricted_redis import redis_restricted
from sellergate_gateway.credentials.restricted_tokens import RestrictedKey, RestrictedTokens
from sellergate_gateway.credentials.selection import CallTokens, SellerTokens
from sellergate_gateway.documents.aiohttp_store import open_documents
from sellergate_gateway.documents.download import Documents
from sellergate_gateway.documents.retries import TransferTime
from sellergate_gateway.documents.upload import Uploads
from sellergate_gateway.grpc_accounts import GrpcAccounts
from sellergate_gateway.model import AccessToken, Account, AwsCredentials
from sellergate_gateway.quota.batching import BatchedLimiter, Batcher
from sellergate_gateway.quota.buckets import Buckets
from sellergate_gateway.quota.corrections import Corrections
from sellergate_gateway.quota.fallback import FallbackStore
from sellergate_gateway.quota.limiter import RateLimiter, ShadowLimiter
from sellergate_gateway.quota.memory import MemoryBuckets
from sellergate_gateway.quota.ports import BucketStore, Limiter
from sellergate_gateway.quota.redis import RedisBuckets
from sellergate_gateway.quota.waiters import WaitQueue
from sellergate_gateway.reports.run import ReportRuns
from sellergate_gateway.reports.running_redis import RedisRunningReports
from sellergate_gateway.rpc.call_streams import Serving
from sellergate_gateway.rpc.calls import GatewayServicer
from sellergate_gateway.rpc.captures import CaptureServicer
from sellergate_gateway.rpc.streams import Streams
from sellergate_gateway.settings import GatewaySettings
from sellergate_gateway.spapi.aiohttp_transport import open_amazon
from sellergate_gateway.spapi.sigv4 import SigV4Signer

REMEMBERED_ACCOUNTS = 20_000
# The share of a rate that each gateway uses while Redis is unavailable.
FALLBACK_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of calls: accounts, tokens, credentials and shared state."""

    accounts: GrpcAccounts
    tokens: TokenSource
    credentials: CredentialSource
    restricted: RedisEntries[RestrictedKey, AccessToken]
    reports: RedisRunningReports
    capture_log: GrpcCaptureLog


@asynccontextmanager
async def open_sources(
    settings: GatewaySettings, redis: Redis, waiters: WaitQueue, background: BackgroundTasks
) -> AsyncIterator[Sources]:
    """Open a channel to each service, and listen to changes by them and other gateways."""
    identity = Identity.read(settings)
    changes = InvalidationFeed(redis)
    remember = partial(TtlCache, REMEMBERED_ACCOUNTS, time.monotonic, lambda: changes.connected)
    trust = Trust()
    copies: StaleIfErrorCache[Account] = StaleIfErrorCache(
        time.monotonic,
        lambda: changes.connected,
        trust=trust,
        version_of=lambda copied: copied.version,
        size=settings.account_copies,
    )
    held_tokens: TtlCache[tuple[int, AccessToken]] = remember()
    held_credentials: TtlCache[tuple[int, AwsCredentials]] = remember()
    restricted = redis_restricted(redis, settings.token_ring, changes, SYSTEM_CLOCK, random.random)
    releases = LeaseNotifier(redis, changes, time.monotonic)
    listeners: dict[str, Sequence[InvalidationListener]] = {
        ACCOUNT_CHANGES: (copies, held_tokens, held_credentials),
        TOKEN_CHANGES: (held_tokens,),
        CREDENTIALS_CHANGES: (held_credentials,),
        QUOTA_MOVES: (waiters,),
        REPORT_DONE: (releases,),
        **restricted.listeners,
    }
    token_ring, credentials_ring = settings.token_ring, settings.credentials_ring
    token_entries = SealedCache(redis, token_ring, TOKEN_PREFIX, TOKEN_CHANGES)
    credential_entries = SealedCache(redis, credentials_ring, CREDENTIALS_PREFIX, CREDENTIALS_CHANGES)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        account = await enter(open_channel(settings.account_target, "account", identity, grpc_accounts.CONTRACTS))
        token = await enter(open_channel(settings.token_target, "token", identity, access_tokens.CONTRACTS))
        iam = await enter(open_channel(settings.iam_target, "iam", identity, aws_credentials.CONTRACTS))
        replicas = await enter(open_replicas(settings.token_target, "token", identity, access_tokens.CONTRACTS))
        await enter(changes.subscribe(listeners, background))
        holders = {ACCOUNT: (copies, held_tokens, held_credentials)}
        follower = ChangeFollower(GrpcAccountChanges(account), holders, trust, SYSTEM_CLOCK)
        await enter(follower.following("account_changes", background))
        await enter(measured_skew(redis, RESTRICTED_PREFIX, SYSTEM_CLOCK, background))
        yield Sources(
            GrpcAccounts(account, copies),
            TokenSource(token, Tokens(replicas), token_entries, token_ring, held_tokens, time.time),
            CredentialSource(iam, credential_entries, credentials_ring, held_credentials, time.time),
            restricted,
            RedisRunningReports(redis, token_ring, releases, REPORT_DONE),
            GrpcCaptureLog(account),
        )


@asynccontextmanager
async def open_servicers(settings: GatewaySettings, redis: Redis, health: Health) -> AsyncIterator[Sequence[object]]:
    """Wire the gateway by hand."""
    metrics, background = CallMetrics(), health.background
    waiters, lateness = WaitQueue(time.monotonic, new_id()), Lateness(SYSTEM_CLOCK)
    captured = RedisCaptures(redis, settings.token_ring)
    limiter = _limiter(settings, redis, waiters, metrics)
    async with (
        background.run("lateness", lateness.measure),
        open_amazon(settings.outbound) as amazon,
        open_documents(settings.document_servers, settings.outbound) as store,
        open_sources(settings, redis, waiters, background) as sources,
        open_captures(captured, sources.capture_log, SYSTEM_CLOCK, new_id, background) as captures,
    ):
        catalogue = Catalogue.read(settings.catalogue)
        its = Dependencies(
            catalogue=catalogue,
            sites=Sites(settings.production, settings.sandbox),
            buckets=Buckets(settings.token_ring, settings.interactive_share),
            accounts=sources.accounts,
            credentials=sources.credentials,
            signer=SigV4Signer(time.time),
            quota=limiter,
            amazon=CapturingAmazon(amazon, captures, catalogue, SYSTEM_CLOCK),
            breakers=Breakers(time.monotonic),
            left=partial(time_left, UNARY_SECONDS),
            jitter=random.random,
            sleep=asyncio.sleep,
            lateness=lambda: lateness.seconds,
        )
        CallCollector.register(its.counts, its.breakers)
        plain = Calls(dependencies=its, tokens=SellerTokens(sources.tokens))
        restricted = RestrictedTokens(sources.restricted, catalogue, plain.make, time.time)
        CacheMetrics.register("restricted_data_tokens", lambda: sources.restricted.counts)
        documents = ReportDocuments(RedisReportTypes(redis, settings.token_ring), catalogue)
        calls = Calls(dependencies=its, tokens=CallTokens(sources.tokens, restricted, documents))
        checks = Checks(calls, sources.accounts, sources.tokens, sources.credentials, its.sites, SYSTEM_CLOCK)
        operations = Operations(catalogue, its.sites, its.buckets, its.quota)
        transfer_time = TransferTime(SYSTEM_CLOCK, partial(time_left, STREAM_SECONDS), random.random)
        downloads = Documents(calls, store, transfer_time)
        reports = ReportRuns(calls, downloads, sources.reports, asyncio.sleep, time.monotonic)
        pages = Pages(calls, catalogue, Threads("pages", 1).run)
        streams = Streams(pages, downloads, Uploads(calls, store, transfer_time), reports)
        serving = Serving(health.metrics, health.draining, settings.connection_age_seconds)
        recent = RecentCalls(captures, captured, sources.accounts, SYSTEM_CLOCK)
        yield (
            GatewayServicer(calls, checks, operations, restricted, streams, metrics, serving),
            CaptureServicer(captures, recent, operations, settings.operators),
        )


def _limiter(settings: GatewaySettings, redis: Redis, waiters: WaitQueue, metrics: CallMetrics) -> Limiter:
    """Return the limiter that the settings choose."""
    now = time.monotonic
    store: BucketStore
    if settings.quota_mode == "local":
        store, corrections = MemoryBuckets(1.0, now), Corrections(waiters)
    else:
        store = FallbackStore(RedisBuckets(redis), MemoryBuckets(FALLBACK_SHARE, now), now)
        corrections = Corrections(waiters, partial(redis.publish, QUOTA_MOVES), UNREACHABLE)
    limiter = BatchedLimiter(RateLimiter(store, waiters, corrections, now), Batcher(now))
    return ShadowLimiter(limiter, metrics.shadow_wait) if settings.quota_mode == "shadow" else limiter
