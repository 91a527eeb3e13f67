"""The search for secrets: all output of a suite is searched for every secret that it got, and for their shapes."""

import re
from collections.abc import Iterable, Iterator

from redis.asyncio import Redis
from sellergate_devstack.suite import Suite

# Generated tokens and keys, by their shape. Each begins with a literal, which is found fifty times faster in megabytes of logs.
SHAPES = [
    re.compile(shape)
    for shape in (
        rb"sgs_[\w-]{43}",
        rb"sgr_[\w-]{43}",
        rb"Atza\|[\w-]{8,}",
        rb"Atzr\|[\w-]{8,}",
        rb"Atz\.sprdt\|\w+",
        rb"amzn1\.oa2-cs\.v1\.\w+",
        rb"ASIA(?<=\bASIA)[A-Z0-9]{12,}",
        rb"AKIA(?<=\bAKIA)[A-Z0-9]{12,}",
        rb"eyJ[\w-]+\.eyJ",
    )
]

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
    return [(place, found[:12]) for place, text in places.items() for found in _found(text, secrets)]


def _found(text: bytes, secrets: tuple[bytes, ...]) -> Iterator[bytes]:
    yield from (secret for secret in secrets if secret in text)
    open_text = SEALED.sub(b"[sealed]", text)
    for shape in SHAPES:
        yield from shape.findall(open_text)


async def dump(url: str) -> bytes:
    """Return every key and value of Redis, as text and as the output of DUMP."""
    parts: list[bytes] = []
    async with Redis.from_url(url) as redis:
        keys = [key async for key in redis.scan_iter(count=1000)]
        for start in range(0, len(keys), 500):
            parts += await _dump(redis, keys[start : start + 500])
    return b"\n".join(parts)


async def _dump(redis: "Redis", keys: list[bytes]) -> list[bytes]:
    kinds, contents = redis.pipeline(transaction=False), redis.pipeline(transaction=False)
    for key in keys:
        kinds.type(key)
    for key, kind in zip(keys, await kinds.execute(), strict=True):
        (contents.hgetall if kind == b"hash" else contents.get if kind == b"string" else contents.dump)(key)
        contents.dump(key)
    found = await contents.execute()
    texts = zip(keys, found[::2], found[1::2], strict=True)
    return [part for key, value, raw in texts for part in (key, repr(value).encode(), raw or b"")]
