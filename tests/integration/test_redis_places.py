"""Servers that a real sentinel or cluster names later: without TLS, a client connects only to those of this machine."""

import secrets
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sellergate_common.redis_client import UNREACHABLE, open_redis
from sellergate_common.redis_url import RedisTls

from tests.integration.redis_sets import LOOPBACK, NAME, Server, free_ports, ports_with_bus, stopping, until

# A name that the system resolves to this machine, other than the well-known ones.
ELSEWHERE = "127.1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node that has the whole cluster, and names itself as another machine."""
    folder, password = tmp_path_factory.mktemp("cluster"), secrets.token_urlsafe(12)
    (port,) = ports_with_bus(1)
    lines = ("cluster-enabled yes", f"cluster-announce-ip {ELSEWHERE}")
    with stopping() as servers:
        servers.append(Server(folder, port, ("", password), *lines))
        until(lambda: servers[0].execute("PING") is not None, servers)
        servers[0].execute("CLUSTER", "ADDSLOTS", *range(16_384))
        until(lambda: "cluster_state:ok" in servers[0].execute("CLUSTER", "INFO"), servers)
        yield f"redis+cluster://:{password}@{LOOPBACK}:{port}"


@pytest.fixture(scope="module")
def sentinel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A sentinel that names the primary as another machine."""
    folder, login = tmp_path_factory.mktemp("sentinel"), ("", secrets.token_urlsafe(12))
    first, watching = free_ports(2)
    watch = (
        "sentinel resolve-hostnames yes",
        "sentinel announce-hostnames yes",
        f"sentinel monitor {NAME} {ELSEWHERE} {first} 1",
        f"sentinel auth-pass {NAME} {login[1]}",
    )
    with stopping() as servers:
        servers.append(Server(folder / "first", first, login))
        until(lambda: servers[0].execute("PING") is not None, servers)
        servers.append(Server(folder / "watch", watching, login, *watch, sentinel=True))
        until(lambda: servers[1].execute("SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME)[0] == ELSEWHERE, servers)
        yield f"redis+sentinel://:{login[1]}@{LOOPBACK}:{watching}/{NAME}?sentinel_password={login[1]}"


@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
async def test_a_server_that_is_named_later_gets_no_plain_text(kind: str, request: pytest.FixtureRequest) -> None:
    url = SecretStr(request.getfixturevalue(kind))
    async with open_redis(url) as redis:
        for attempt in (redis.get("a"), redis.ping()):
            with pytest.raises(UNREACHABLE) as caught:
                await attempt
            assert "SELLERGATE_REDIS_ALLOW_PLAIN=true" in str(caught.value)
    async with open_redis(url, RedisTls(allow_plain=True)) as redis:
        await redis.set("a", "1", px=60_000)
        assert await redis.get("a") == "1"
