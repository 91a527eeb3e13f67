"""The search for secrets: all output of a suite is searched for every secret that it got, and for their shapes."""

import re
from collections.abc import Iterable

from redis.asyncio import Redis
from sellergate_devstack.suite import Suite

# Generated tokens and keys, by their shape.
SHAPES = re.compile(
    rb"sg[sr]_[\w-]{43}|Atz[ar]\|[\w-]{8,}|Atz\.sprdt\|\w+|amzn1\.oa2-cs\.v1\.\w+|\bASIA[A-Z0-9]{12,}|\bAKIA[A-Z0-9]{12,}|eyJ[\w-]+\.eyJ"
)

# A sealed value (JWE with alg "dir"): megabytes of random text contain any shape by chance.
SEALED = re.compile(rb"eyJ[\w-]+\.\.[\w-]{22}\.[\w-]+\.[\w-]{43}")


async def places_of(suite: Suite) -> dict[str, bytes]:
    """Return the output of the suite's processes: their logs, the database's files, and Redis."""
    places = {f"log of {name}": suite.log(name).read_bytes() for name in suite.supervisor.processes}
    for path in suite.plan.state.folder.glob("account.sqlite*"):
        places[path.name] = path.read_bytes()
    places["Redis"] = await dump(suite.plan.redis_address)
    return places


def secrets_of(suite: Suite) -> list[bytes]:
    """Return the secrets that the suite got."""
    demo = suite.demo
    keys = (
        suite.plan.state.key_file(name).read_bytes().split()[-1] for name in ("sealing", "cache-token", "index", "jwt")
    )
    return [
        demo.client_secret.get_secret_value().encode(),
        demo.refresh_token.get_secret_value().encode(),
        demo.aws_secret_access_key.get_secret_value().encode(),
        *keys,
    ]


def find(places: dict[str, bytes], known: Iterable[bytes]) -> list[tuple[str, bytes]]:
    """Return each secret found in one of the places, with the place's name; only its beginning is shown."""
    secrets = tuple(known)
    return [
        (place, secret[:12])
        for place, text in places.items()
        for secret in [*(one for one in secrets if one in text), *SHAPES.findall(SEALED.sub(b"[sealed]", text))]
    ]


async def dump(url: str) -> bytes:
    """Return every key and value of Redis, as text and as the output of DUMP."""
    parts: list[bytes] = []
    async with Redis.from_url(url) as redis:
        async for key in redis.scan_iter():
            kind = await redis.type(key)
            value = await (
                redis.hgetall(key) if kind == b"hash" else redis.get(key) if kind == b"string" else redis.dump(key)
            )
            parts += [key, repr(value).encode(), await redis.dump(key) or b""]
    return b"\n".join(parts)
