"""The hunt: after all other tests, no secret and no token stands in a log, in Redis, in the database file or in an answer.

The name sorts last on purpose: it searches what the other end-to-end tests have left behind.
"""

import re

import httpx
from redis.asyncio import Redis
from sellergate_client import Sellergate

from tests.e2e.collector import Collector
from tests.e2e.conftest import Rest
from tests.e2e.sellers import Seller

# Tokens and keys that were made on the way, by their shape.
SHAPES = re.compile(
    rb"sg[sr]_[\w-]{43}|Atz[ar]\|[\w-]{8,}|Atz\.sprdt\|\w+|amzn1\.oa2-cs\.v1\.\w+|\bASIA[A-Z0-9]{12,}|\bAKIA[A-Z0-9]{12,}|eyJ[\w-]+\.eyJ"
)


async def test_no_secret_is_found_anywhere(
    rest: Rest, client: Sellergate, control: httpx.AsyncClient, seller: Seller, collector: Collector
) -> None:
    account_id = await rest.connect(seller)
    params = {"amazonAccountId": account_id, "marketplaceId": seller.marketplace_id}
    orders = await rest.ask("GET", "/api/amazon/test/orders", params=params)
    assert orders.status_code == 200, orders.text
    await rest.ask("POST", "/api/amazon/accounts", json=seller.connection(lwaClientSecret=None, marketplace="XX"))
    wrong = f"Bearer {rest.suite.jwt('u1')}x"
    await rest.client.get("/api/amazon/accounts", headers={"Authorization": wrong})
    suite, demo = rest.suite, rest.suite.demo
    known = [
        *(secret.encode() for secret in seller.secrets),
        demo.client_secret.get_secret_value().encode(),
        demo.refresh_token.get_secret_value().encode(),
        demo.aws_secret_access_key.get_secret_value().encode(),
        *(
            suite.plan.state.key_file(name).read_bytes().split()[-1]
            for name in ("sealing", "cache-token", "index", "jwt")
        ),
    ]
    places = {f"log of {name}": suite.log(name).read_bytes() for name in suite.supervisor.processes}
    assert any(b'"level":"debug"' in text for text in places.values()), "the logs must be at debug"
    for path in suite.plan.state.folder.glob("account.sqlite*"):
        places[path.name] = path.read_bytes()
    assert any(b"CREATE TABLE accounts" in text for name, text in places.items() if name.startswith("account.sqlite"))
    places["traces"] = bytes(collector.raw)
    places["REST answers"] = b"\n".join(rest.answers)
    assert len(rest.answers) >= 3
    places["Redis"] = await dump(suite.plan.redis_address)
    assert b"tok:" in places["Redis"]
    assert b"cred:" in places["Redis"]
    found = [
        (place, secret[:12])
        for place, text in places.items()
        for secret in [*(one for one in known if one in text), *SHAPES.findall(text)]
    ]
    assert not found
    for secret in (account_id.encode(), seller.seller_id.encode(), seller.client_id.encode()):
        assert secret not in places["Redis"], "key names and values in Redis tell nothing"
    for name, text in places.items():
        assert not name.startswith("account.sqlite") or seller.client_id.encode() not in text


async def dump(url: str) -> bytes:
    """Every key and every value of Redis, as text and as DUMP gives it."""
    parts: list[bytes] = []
    async with Redis.from_url(url) as redis:
        async for key in redis.scan_iter():
            kind = await redis.type(key)
            value = await (
                redis.hgetall(key) if kind == b"hash" else redis.get(key) if kind == b"string" else redis.dump(key)
            )
            parts += [key, repr(value).encode(), await redis.dump(key) or b""]
    return b"\n".join(parts)
