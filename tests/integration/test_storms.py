"""Every outgoing client under a storm of cancellations: it loses no slot, and every later caller gets a response."""

import os
import random
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr
from sellergate_account.secrets.keys import open_settings
from sellergate_account.settings import AccountSettings
from sellergate_account.storage.database import open_database
from sellergate_common.blocking.threads import Threads
from sellergate_common.clock import SYSTEM_CLOCK
from sellergate_common.crypto.sealing import encode_key
from sellergate_common.redis_client import open_redis
from sellergate_common.settings import read_settings
from sellergate_edge.authn.jwks import JwksKeys
from sellergate_edge.authn.jwks_publisher import Publisher
from sellergate_gateway.documents.aiohttp_store import open_documents
from sellergate_gateway.spapi.aiohttp_transport import open_amazon
from sellergate_gateway.spapi.http import AmazonRequest
from sellergate_iam.ports import Role, Session
from sellergate_token.lwa.aiohttp_transport import open_lwa
from sellergate_token.ports import RefreshToken
from sellergate_token.rotation.sqs_queue import SqsQueue

from tests.contract.amazon.aws_environment import REGION, bare_aws, boto_sts, own_keys
from tests.contract.amazon.kms_server import running_kms
from tests.contract.amazon.sqs_server import ACCESS, running_sqs
from tests.contract.simulator.simulator_process import AWS_KEY_ID, AWS_SECRET, ROLE_ARN, Simulator, running_simulator
from tests.integration.storms import Storm, assert_slots_survive, peer_before
from tests.integration.test_edge_jwks import RSA_KEY, Provider, bearer, publisher

__all__ = ["publisher"]


@pytest.fixture
def storm() -> Storm:
    """Return a short storm; tests/system has one of realistic length."""
    return Storm(silent=0.3, slow=0.5, callers=100)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running_simulator() as started:
        keys = [{"access_key_id": AWS_KEY_ID, "secret_access_key": AWS_SECRET}]
        started.post_control("seed", {"roles": [{"arn": ROLE_ARN}], "aws_keys": keys})
        started.post_control("rates", {"scale": 1e6, "burst_scale": 1e4})
        yield started


async def test_lwa(storm: Storm, simulator: Simulator) -> None:
    seller = simulator.client()
    grant = RefreshToken(SecretStr(seller.refresh_token))
    async with (
        peer_before(f"{simulator.main}/auth/o2/token") as peer,
        open_lwa(peer.url, SYSTEM_CLOCK, random.random) as lwa,
    ):

        async def call() -> object:
            return await lwa.exchange(SecretStr(seller.client_id), SecretStr(seller.client_secret), grant)

        def free() -> bool:
            connector = lwa._transport._session.connector  # type: ignore[attr-defined]
            return lwa.slots.free == lwa.slots.most and not connector._acquired

        await assert_slots_survive(peer, storm, call, free)


async def test_sp_api(storm: Storm, simulator: Simulator) -> None:
    token = simulator.client().access_token()
    async with peer_before(f"{simulator.url('na')}/sellers/v1/account") as peer, open_amazon() as amazon:
        headers = (("x-amz-access-token", token),)

        async def call() -> object:
            response = await amazon.send(AmazonRequest("GET", peer.url, headers, b""), 10.0)
            assert response.status == 200
            return response

        def free() -> bool:
            connector = amazon._session.connector
            assert connector is not None
            return not connector._acquired

        await assert_slots_survive(peer, storm, call, free)


async def test_documents(storm: Storm, simulator: Simulator) -> None:
    async with peer_before(f"{simulator.main}/documents/none") as peer:
        origin = peer.url.removesuffix("/documents/none")
        async with open_documents([origin]) as documents:

            async def call() -> object:
                async with documents.get(peer.url, ()) as fetched:
                    return [chunk async for chunk in fetched.chunks]

            def free() -> bool:
                connector = documents._local.connector
                assert connector is not None
                return not connector._acquired

            await assert_slots_survive(peer, storm, call, free)


async def test_sts(storm: Storm, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer_before(simulator.main) as peer:
        bare_aws(monkeypatch, peer.url)
        own_keys(monkeypatch, AWS_KEY_ID, AWS_SECRET)
        role, session = Role(ROLE_ARN, "", REGION, "a"), Session("sellergate-a", 900)
        async with boto_sts() as sts:
            await assert_slots_survive(
                peer,
                storm,
                lambda: sts.assume(role, session),
                lambda: not any(one.busy for one in sts.threads._regions.values()),
            )


async def test_sqs(storm: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_sqs() as server:
        queue_path = server.queue()[0].split("/", 3)[3]
        async with peer_before(server.url) as peer:
            for name, value in {**ACCESS, "AWS_ENDPOINT_URL_SQS": peer.url}.items():
                monkeypatch.setenv(name, value)
            queue = SqsQueue(f"{peer.url}/{queue_path}", ACCESS["AWS_REGION"], visibility_seconds=1, wait_seconds=0)
            await assert_slots_survive(peer, replace(storm, callers=30), queue.receive, lambda: queue.threads.idle)


async def test_kms(storm: Storm, monkeypatch: pytest.MonkeyPatch) -> None:
    key, single = os.urandom(64), encode_key(os.urandom(32))
    with running_kms() as server:
        async with peer_before(server.url) as peer:
            environment = {
                **server.environment,
                "AWS_ENDPOINT_URL_KMS": peer.url,
                "REDIS_URL": "redis://localhost",
                "SELLERGATE_SEALING_KEYS": f"k1 {server.wrap(key, 'sealing-keys', 'k1')}",
                "SELLERGATE_INDEX_KEY": single,
                "SELLERGATE_AUDIT_KEY": single,
                **{f"SELLERGATE_TLS_{name}_FILE": __file__ for name in ("CA", "CERT", "KEY")},
            }
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            settings, threads = read_settings(AccountSettings), Threads("kms", 4)

            async def call() -> object:
                found = await open_settings(settings, threads)
                assert found.sealing_keys.get_secret_value() == f"k1 {encode_key(key)}"
                return found

            await assert_slots_survive(
                peer, replace(storm, callers=4), call, lambda: threads.idle
            )  # each creates a new client


async def test_jwks(storm: Storm, publisher: Provider) -> None:
    async with peer_before(publisher.url) as peer:
        # The keys are always too old, so that every caller needs a fetch, which simultaneous callers share.
        keys = JwksKeys(Publisher(peer.url), lambda: time.monotonic() * 1e6)
        token = bearer(RSA_KEY, "RS256", "r")["authorization"].removeprefix("Bearer ")

        def free() -> bool:
            return not peer.connections and not keys._flight._flights  # type: ignore[attr-defined]

        await assert_slots_survive(peer, storm, lambda: keys.key_of(token), free)


async def test_jwks_publisher(storm: Storm, publisher: Provider) -> None:
    async with peer_before(publisher.url) as peer:
        await assert_slots_survive(peer, storm, Publisher(peer.url).fetch, lambda: not peer.connections)


async def test_redis(storm: Storm, redis_url: str) -> None:
    async with peer_before(redis_url) as peer, open_redis(SecretStr(peer.url)) as redis:

        def free() -> bool:
            return not redis.connection_pool._in_use_connections  # type: ignore[attr-defined]

        await assert_slots_survive(peer, replace(storm, callers=50), lambda: redis.get("storm"), free)


# psycopg leaves the socket of a connection that was cancelled while it was made to the garbage collector, which closes it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_postgres(storm: Storm, postgres_url: str) -> None:
    async with peer_before(postgres_url) as peer, open_database(peer.url) as database:
        await assert_slots_survive(
            peer,
            storm,
            database.ping,
            lambda: database.engine.pool.checkedout() == 0,  # type: ignore[attr-defined]
        )
