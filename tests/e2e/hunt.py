"""The hunt for secrets: searches all that a suite wrote for every secret it was given, and for anything of their shapes."""

import re
from collections.abc import Iterable

from redis.asyncio import Redis
from sellergate_devstack.suite import Suite

# Tokens and keys that were made on the way, by their shape.
SHAPES = re.compile(
    rb"sg[sr]_[\w-]{43}|Atz[ar]\|[\w-]{8,}|Atz\.sprdt\|\w+|amzn1\.oa2-cs\.v1\.\w+|\bASIA[A-Z0-9]{12,}|\bAKIA[A-Z0-9]{12,}|eyJ[\w-]+\.eyJ"
)

# A sealed value (JWE with alg "dir"): random text, in megabytes of which any shape stands by chance.
SEALED = re.compile(rb"eyJ[\w-]+\.\.[\w-]{22}\.[\w-]+\.[\w-]{43}")


async def places_of(suite: Suite) -> dict[str, bytes]:
    """Return what the suite's processes wrote: their logs, the database's files, and Redis."""
    places = {f"log of {name}": suite.log(name).read_bytes() for name in suite.supervisor.processes}
    for path in suite.plan.state.folder.glob("account.sqlite*"):
        places[path.name] = path.read_bytes()
    places["Redis"] = await dump(suite.plan.redis_address)
    return places


def secrets_of(suite: Suite) -> list[bytes]:
    """Return the secrets that the suite itself was given."""
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
    """Return each secret that is in one of the places, with the place's name; only the beginning is shown."""
    secrets = tuple(known)
    return [
        (place, secret[:12])
        for place, text in places.items()
        for secret in [*(one for one in secrets if one in text), *SHAPES.findall(SEALED.sub(b"[sealed]", text))]
    ]


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
