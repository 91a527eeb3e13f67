"""Redis over TLS, of every kind: the certificate is checked, and a client presents its own where the server requires one."""

import gc
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sellergate_common.cache.sealed import SealedCache
from sellergate_common.redis_client import open_redis
from sellergate_common.redis_url import RedisTls

from tests.conftest import TestAuthority
from tests.integration import redis_sets
from tests.integration.redis_tls import Fronts
from tests.integration.redis_worlds import RING, VALUE


@pytest.fixture(scope="module")
def fronts(authority: TestAuthority) -> Iterator[Fronts]:
    """Run proxies that accept clients with a certificate of the tests' authority."""
    ca, certificate, key = authority.files("redis")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    context.load_cert_chain(certificate, key)
    context.verify_mode = ssl.CERT_REQUIRED
    made = Fronts(context)
    with made.running():
        yield made


async def works(url: str, tls: RedisTls) -> bool:
    async with open_redis(SecretStr(url), tls) as redis:
        cache = SealedCache(redis, RING, "tls:", "tls:changes")
        kept = [await cache.put(f"tls:{{{number}}}", VALUE, 60) for number in range(10)]
        return all(kept) and await cache.count() == 10


# redis-py may leave the socket of a connection whose handshake fails to the garbage collection, which reports it.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["single", "sentinel", "cluster"])
async def test_every_server_is_reached_over_tls(
    tmp_path: Path, fronts: Fronts, authority: TestAuthority, foreign_authority: TestAuthority, kind: str
) -> None:
    ca, certificate, key = authority.files("gateway")
    with getattr(redis_sets, kind)(tmp_path, fronts) as servers:
        secure, before = servers.url.replace("redis", "rediss", 1), fronts.handshakes
        assert await works(secure, RedisTls(ca, certificate, key))
        assert fronts.handshakes > before
        assert not await works(secure, RedisTls(foreign_authority.files("gateway")[0], certificate, key))
        assert not await works(secure, RedisTls(ca))
    gc.collect()
