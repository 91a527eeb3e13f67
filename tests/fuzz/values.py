"""Values of single fields: valid, boundary and hostile ones."""

import json
import random
import re
from re import _constants, _parser  # type: ignore[attr-defined]  # the standard library's own reading of patterns
from typing import Any

# Kinds of values on which careless code fails.
HOSTILE = (
    "\0",
    "a\0b",
    "a\r\nX-Injected: 1",
    "\x1b[31m",
    "\x7f",
    " ",
    " leading and trailing ",
    "\u202eabc",
    "a\u200bb",
    "\ufeffa",
    "\u0130\u0131\u017f\u212a",
    "e\u0301" * 40,
    "\U0001f600" * 20,
    "\U0010ffff",
    "\ue000",
    "\u0661\u0662\u0663",
    "مرحبا",
    "x' OR '1'='1",
    "1; DROP TABLE accounts; --",
    "%",
    "_",
    "\\",
    "%s%n{0}{account}",
    "${jndi:ldap://127.0.0.1/a}",
    '{"$gt": ""}',
    "../../etc/passwd",
    "/..;/",
    "/%2e%2e/%2E%2E/",
    "%00",
    "%",
    "%zz",
    "%ff%fe",
    "%25252e",
    "//evil.example/x",
    "http://169.254.169.254/latest/",
    "file:///etc/passwd",
    "?x=1#y",
    "*",
    "**",
    "a,b;c=d",
    '"',
    "null",
    "NaN",
    "-1",
    "1e400",
    "9" * 400,
    "0x10",
    "true",
    "[" * 1000,
    "a" * 255,
    "a" * 4096,
    "\U0001f600" * 2000,
    "(a+)+$" + "a" * 40 + "!",
    "<script>alert(1)</script>",
    "arn:aws:iam::123456789012:role/" + "/" * 500,
    "amzn1.vg." + "1" * 21,
    "xn--" + "a" * 60 + ".example",
)
NUMBERS = (0, 1, -1, 2, 7, 100, 500, 501, 2**15, 2**31 - 1, -(2**31), 2**32 - 1, 2**53 + 1, 2**63 - 1, -(2**63))
_MOST_REPEATS = 6


def hostile(rng: random.Random) -> str:
    """Return a hostile text; sometimes two joined ones, sometimes a very long one."""
    text = rng.choice(HOSTILE)
    if rng.random() < 0.15:
        text += rng.choice(HOSTILE)
    if rng.random() < 0.01:
        text = (text * (200_000 // len(text) + 1))[:200_000]
    return text


def number(rng: random.Random, least: int, most: int, minimum: int = 0, maximum: int = 0) -> int:
    """Return a number in a type's range, often at a boundary of a rule."""
    edges = [minimum - 1, minimum, minimum + 1, maximum - 1, maximum, maximum + 1, *NUMBERS]
    return min(max(rng.choice(edges), least), most)


def document(rng: random.Random, depth: int = 0) -> Any:
    """Return a JSON value of random shape."""
    kind = rng.randrange(9) if depth < 5 else rng.randrange(6)
    if kind >= 7:
        return {rng.choice((*HOSTILE[:20], "a", "id")): document(rng, depth + 1) for _ in range(rng.randrange(4))}
    if kind == 6:
        return [document(rng, depth + 1) for _ in range(rng.randrange(4))]
    return rng.choice(
        (None, True, False, rng.choice(NUMBERS), rng.random() * 10 ** rng.randrange(-5, 300), hostile(rng))
    )


def body(rng: random.Random) -> bytes:
    """Return the bytes of a body: JSON, almost JSON, deep JSON, or noise."""
    kind = rng.randrange(8)
    if kind < 3:
        return json.dumps(document(rng), ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    if kind == 3:
        return rng.choice((b"[", b'{"a":')) * rng.choice((10, 64, 65, 5_000))
    if kind == 4:
        return json.dumps(document(rng)).encode()[:-1] + rng.choice((b"", b"\\ud800", b"\xff", b",", b"}}"))
    if kind == 5:
        return b""
    return rng.randbytes(rng.choice((1, 8, 100, 5_000)))


def matching(pattern: str, rng: random.Random) -> str:
    """Return a text that matches a regular expression in the standard library's syntax."""
    return "".join(_piece(node, rng) for node in _parser.parse(pattern))


def _piece(node: Any, rng: random.Random) -> str:
    kind, value = node
    if kind is _constants.LITERAL:
        return chr(value)
    if kind is _constants.IN:
        return _one_of(value, rng)
    if kind is _constants.ANY:
        return rng.choice("aZ09 .é")
    if kind in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
        least, most, inner = value
        count = rng.randint(least, min(most, least + _MOST_REPEATS)) if rng.random() < 0.9 else min(most, least + 600)
        return "".join(_piece(one, rng) for _ in range(count) for one in inner)
    if kind is _constants.SUBPATTERN:
        return "".join(_piece(one, rng) for one in value[-1])
    if kind is _constants.BRANCH:
        return "".join(_piece(one, rng) for one in rng.choice(value[1]))
    return ""


def _one_of(members: Any, rng: random.Random) -> str:
    kind, value = rng.choice(members)
    if kind is _constants.LITERAL:
        return chr(value)
    if kind is _constants.RANGE:
        return chr(rng.randint(*value))
    return rng.choice("aZ_9") if kind is _constants.CATEGORY else rng.choice("aZ9-. ~")


def matches(pattern: str, text: str) -> bool:
    """Return whether a text matches a pattern in full."""
    return re.fullmatch(pattern, text) is not None
