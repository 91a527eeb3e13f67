"""The users of deploy/redis: each service works under its own user, and reaches no key of another's."""

import asyncio
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError
from sellergate_account.redis_change_publisher import RedisChangePublisher
from sellergate_common.cache.invalidation import InvalidationFeed
from sellergate_common.cache.keyspace import (
    ACCOUNT_CHANGES,
    CREDENTIALS_CHANGES,
    CREDENTIALS_PREFIX,
    QUOTA_PREFIX,
    TOKEN_CHANGES,
    TOKEN_PREFIX,
)
from sellergate_common.cache.lru import TtlCache
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.redis_client import open_redis
from sellergate_devstack.servers.redis import find_redis
from sellergate_edge.limits.guesses import Subject
from sellergate_edge.limits.limiter import Rate
from sellergate_edge.limits.redis import RedisCounts
from sellergate_gateway.captures.redaction import Exchange
from sellergate_gateway.captures.redis import RedisCaptures
from sellergate_gateway.captures.service import Capture
from sellergate_gateway.quota.ports import Bucket, BucketSet
from structlog.testing import capture_logs

from tests.fakes.gateway import shared_replica
from tests.integration import redis_sets
from tests.integration.redis_sets import Set, Users
from tests.integration.replicas import RING, Replica, Source
from tests.paths import ROOT

FILES = ROOT / "deploy" / "redis"
# A key of each prefix, with its writer.
WRITERS = {
    "tok:": "token",
    "state:": "token",
    "hook:": "token",
    "cred:": "iam",
    "quota:": "gateway",
    "rdt:": "gateway",
    "rpt:": "gateway",
    "cap:": "gateway",
    "edge:": "edge",
}
CHANNELS = {"acct:changes": "account", "tok:changes": "token", "cred:changes": "iam"}
SERVICES = ("account", "token", "iam", "gateway", "edge")


def version() -> int:
    output = subprocess.run([find_redis(), "--version"], capture_output=True, text=True, check=True).stdout
    return int(output.partition("v=")[2].partition(".")[0])


HAS_READ_RIGHTS = version() >= 7


@pytest.fixture(scope="module", params=["single", "sentinel", "cluster"])
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Set]:
    folder = tmp_path_factory.mktemp(request.param)
    users = Users.of(FILES / ("users-7.acl" if HAS_READ_RIGHTS else "users.acl"), folder)
    with getattr(redis_sets, request.param)(folder, users=users) as running:
        yield running


@pytest.fixture
def refusals(servers: Set) -> Callable[[], list[str]]:
    """Returns the commands that the servers have refused so far in this test."""

    def refused() -> list[str]:
        return [str(entry) for server in servers.servers for entry in server.execute("ACL", "LOG")]

    for server in servers.servers:
        server.execute("ACL", "LOG", "RESET")
    return refused


@pytest.fixture
def of(servers: Set) -> Callable[[str], AbstractAsyncContextManager[Redis]]:
    return lambda user: open_redis(SecretStr(servers.url_of(user)))


Of = Callable[[str], AbstractAsyncContextManager[Redis]]


@pytest.mark.parametrize(
    ("user", "prefix", "changes"),
    [("token", TOKEN_PREFIX, TOKEN_CHANGES), ("iam", CREDENTIALS_PREFIX, CREDENTIALS_CHANGES)],
)
async def test_token_and_iam_keep_and_share_their_entries(
    of: Of, refusals: Callable[[], list[str]], user: str, prefix: str, changes: str
) -> None:
    async with of(user) as one, of(user) as other, of("gateway") as gateway, AsyncExitStack() as stack:
        replicas, source = [Replica(redis, prefix) for redis in (one, other)], Source(seconds=0.2)
        for replica in replicas:
            await stack.enter_async_context(replica.changes.subscribe(replica.entries.listeners))
        assert await one.ping()
        first, second = await asyncio.gather(*(replica.get(source) for replica in replicas))
        assert first == second
        assert source.fetched == 1
        found = await SealedCache(gateway, RING, prefix, changes).get(f"{prefix}{{a}}")
        assert found
        assert first.text in found.get_secret_value()
        entries, others = (replica.entries for replica in replicas)
        assert await entries.count() == 1
        assert await entries.drop_if("a", first.text)
        await entries.put("b", first)
        assert await others.clear() == 1
    assert not refusals()


async def test_the_gateway_receives_all_changes_and_keeps_quota(of: Of, refusals: Callable[[], list[str]]) -> None:
    async with of("gateway") as redis, of("account") as account, of("token") as token, of("iam") as iam:
        changes = InvalidationFeed(redis)
        copies: TtlCache[str] = TtlCache(10, time.monotonic, lambda: changes.connected)
        channels = dict.fromkeys((ACCOUNT_CHANGES, TOKEN_CHANGES, CREDENTIALS_CHANGES), (copies,))
        announcers = (
            RedisChangePublisher(account).publish,
            SealedCache(token, RING, TOKEN_PREFIX, TOKEN_CHANGES).announce,
            SealedCache(iam, RING, CREDENTIALS_PREFIX, CREDENTIALS_CHANGES).announce,
        )
        async with changes.subscribe(channels):
            for announce in announcers:
                async with asyncio.timeout(5):
                    while not changes.connected:  # noqa: ASYNC110  (nothing announces it)
                        await asyncio.sleep(0.02)
                    copies.put("a", "of a", 60)
                    await announce("a")
                    while copies.get("a") is not None:  # noqa: ASYNC110  (likewise)
                        await asyncio.sleep(0.02)
        quota, bucket = shared_replica(redis).limiter, Bucket(f"{QUOTA_PREFIX}{{{{a}}}}:pair", 1.0, 3, learns=True)
        with capture_logs() as logs:
            await quota.acquire(BucketSet(bucket), 0)
            await quota.update_rate(BucketSet(bucket), 2.0)
            await quota.on_throttled(BucketSet(bucket), 1.0)
            assert (await quota.peek(bucket)).rate == pytest.approx(2.0)
        assert not logs
        assert await redis.ping()
        assert await account.ping()
    assert not refusals()


async def test_gateways_share_captures(of: Of, refusals: Callable[[], list[str]]) -> None:
    capture = Capture("c1", "a1", "sellers/v1/getAccount", time.time() + 30)
    seen = Exchange(1.0, "r", "GET", "/x", ("q",), (("accept", "*/*"),), "", 200, (), "{}", 0.1)
    async with of("gateway") as redis, of("gateway") as other:
        one, two = RedisCaptures(redis, RING), RedisCaptures(other, RING)
        await one.begin(capture)
        assert list(await two.wanted()) == [capture]
        await two.put(capture, seen)
        await two.put(capture, seen)
        assert list(await one.take(capture)) == [seen, seen]
        await two.put(capture, seen)
        await one.end(capture)
        assert not await two.wanted()
        assert not await one.take(capture)
    assert refusals() == []


async def test_the_edge_may_count_requests(of: Of, refusals: Callable[[], list[str]]) -> None:
    async with of("edge") as redis:
        count = redis.register_script("return redis.call('INCR', KEYS[1])")
        assert int(await count(keys=["edge:{user}"])) == 1
        assert await redis.expire("edge:{user}", 1)
    assert not refusals()


@pytest.mark.parametrize("user", SERVICES)
async def test_a_service_reaches_no_key_of_another(of: Of, user: str) -> None:
    reads = ("tok:", "cred:") if user == "gateway" else ()
    async with of(user) as redis:
        for prefix, writer in WRITERS.items():
            key = prefix + "{x}"
            if writer == user:
                assert await redis.set(key, "x", px=1000)
                continue
            if prefix in reads:
                await redis.get(key)
            else:
                await refused(redis, "GET", key)
                await refused(redis, "EVAL", f"return redis.call('GET', '{key}')", 1, key)
            if prefix not in reads or HAS_READ_RIGHTS:  # Redis 6 has no read-only keys
                await refused(redis, "SET", key, "x")
                await refused(redis, "DEL", key)
        for channel, writer in CHANNELS.items():
            if user not in (writer, "gateway"):
                await refused(redis, "PUBLISH", channel, "x")


def test_dangerous_commands_are_refused_to_every_service(servers: Set) -> None:
    server = servers.servers[0]
    for user in (*SERVICES, "replica"):
        for command in (
            "KEYS *",
            "FLUSHALL",
            "CONFIG GET *",
            "ACL LIST",
            "CLIENT LIST",
            "SCRIPT FLUSH",
            "REPLICAOF NO ONE",
        ):
            with pytest.raises(NoPermissionError):
                server.execute(*command.split(), login=servers.users.login(user))


def test_a_login_without_a_valid_password_is_refused(servers: Set) -> None:
    for login in (("", ""), ("default", "x"), ("iam", servers.users.passwords["token"])):
        with pytest.raises((AuthenticationError, NoPermissionError)):
            servers.servers[0].execute("GET", "tok:{x}", login=login)


def test_the_files_differ_only_in_the_read_only_keys_of_the_gateway() -> None:
    six, seven = ((FILES / name).read_text() for name in ("users.acl", "users-7.acl"))
    assert seven == six.replace("~tok:* ~cred:*", "%R~tok:* %R~cred:*")
    assert seven != six
    assert all(re.search(rf"^user {name} ", six, re.MULTILINE) for name in SERVICES)
    assert not re.search(r"#[0-9a-f]{64}|[ ]>", six)


async def refused(redis: Redis, *command: str | int) -> None:
    # Within a script the refusal comes as an error of the script.
    with pytest.raises(ResponseError, match=r"(?i)permission|can't run this command|can't access"):
        await redis.execute_command(*command)  # type: ignore[no-untyped-call]


async def test_the_edge_counts_for_all_edges(servers: Set, refusals: Callable[[], list[str]]) -> None:
    rate, subjects = Rate(0.01, 5), (Subject("client", "sgc_x", 2), Subject("address", "127.0.0.1", 99))
    async with (
        open_redis(SecretStr(servers.url_of("edge"))) as first,
        open_redis(SecretStr(servers.url_of("edge"))) as second,
    ):
        one, other = RedisCounts(first, RING, time.monotonic), RedisCounts(second, RING, time.monotonic)
        assert await one.take("u1", rate, 3) == (3, 0.0)
        assert await other.take("u1", rate, 3) == (2, 0.0)
        taken, wait = await one.take("u1", rate, 3)
        assert taken == 0
        assert 90 < wait <= 100
        assert await other.take("u2", rate, 3) == (3, 0.0)
        assert [await edge.reserve(subjects) for edge in (one, other, one, other)] == [True, True, False, False]
        await other.give_back(subjects)
        assert [await edge.reserve(subjects) for edge in (one, other)] == [True, False]
        # All edges together evaluate only the permitted number of simultaneous guesses.
        guessed = (Subject("client", "sgc_y", 10), subjects[1])
        assert sum(await asyncio.gather(*(edge.reserve(guessed) for edge in (one, other) for _ in range(45)))) == 10
        assert not await one.is_proven("digest")
        await one.prove("digest")
        assert await other.is_proven("digest")
        await other.disprove("digest")
        assert not await one.is_proven("digest")
    assert refusals() == []
