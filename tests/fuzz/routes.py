"""HTTP requests by a grammar for every route of the edge: valid and malformed ones."""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from sellergate_amazon.operations import Catalogue
from sellergate_edge.app import Options, make_app
from sellergate_edge.dependencies import Dependencies

from tests.fuzz import values
from tests.fuzz.messages import Known

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_ODD_METHODS = ("TRACE", "CONNECT", "get", "PROPFIND", "M-SEARCH", "X", "G\0T", "")
_ODD_TARGETS = (
    "*",
    "//",
    "///api//amazon/accounts",
    "http://127.0.0.1/",
    "http://[::1",
    "/%",
    "/%zz",
    "/..",
    "/a?%ff=%fe",
    "",
)
_ODD_HEADERS = (
    "X-Request-Id: {text}",
    "Accept: {text}",
    "Accept-Encoding: gzip;q=x, *;q=0",
    "If-None-Match: {text}",
    "If-Match: {text}",
    "Idempotency-Key: {text}",
    "X-Sellergate-Max-Wait: {text}",
    "X-Sellergate-Max-Wait: 1e400",
    "X-Sellergate-Max-Wait: nan",
    "X-Sellergate-Sandbox: {text}",
    "X-Sellergate-Token-Kind: {text}",
    "Traceparent: {text}",
    "Cookie: a={text}; sellergate={text}",
    "Origin: {text}",
    "Range: bytes=0-0,-1,9999999999999999999-",
    "Forwarded: for={text}",
    "X-Forwarded-For: {text}",
    "Host: {text}",
    "Content-Type: {text}",
    "Content-Type: application/json; charset={text}",
    "Content-Encoding: gzip",
    "Upgrade: h2c",
    "Expect: 100-continue",
    "Expect: {text}",
    "Content-Length: 0x10",
    "Content-Length: -1",
    "Content-Length: 99999999999999999999",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: xchunked",
    "{text}: x",
    "X-Empty:",
    " folded: x",
    "no colon",
    "Authorization: {text}",
    "Authorization: Basic YTpi",
    "x-amz-access-token: {text}",
    "x-amz-date: {text}",
)
_CHUNKS = (
    "5\r\nhello\r\n0\r\n\r\n",
    "5;a={text}\r\nhello\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nx",
    "-1\r\nx\r\n0\r\n\r\n",
)
_CHUNKS += (
    "5\r\nhel",
    "0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "0\r\nTrailer: x\r\n\r\n",
    "1\nx\n0\n\n",
    "5\r\nhelloXX0\r\n\r\n",
)


@dataclass(frozen=True)
class Route:
    """A path with parameters in braces, its methods, and the schema of its JSON body."""

    path: str
    methods: tuple[str, ...]
    schema: Any = None
    queries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """The bytes for one connection. `whole`: a request that HTTP allows, so there must be a response."""

    data: bytes
    route: str
    whole: bool
    pieces: tuple[int, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """Return the request as a line of the corpus."""
        return {
            "route": self.route,
            "whole": self.whole,
            "data": self.data.decode("latin-1"),
            "pieces": list(self.pieces),
        }

    @classmethod
    def of_json(cls, row: dict[str, Any]) -> "Request":
        """Return the request of a line of the corpus."""
        return cls(row["data"].encode("latin-1"), row["route"], row["whole"], tuple(row.get("pieces", ())))


def routes() -> list[Route]:
    """Return every route of the app, and a path of each SP-API operation for the drop-in endpoint."""
    app = make_app(Dependencies(*[None] * 8), Options())  # type: ignore[arg-type]  # nothing is served here
    described = app.openapi()
    found = {route.path: route for route in _served(app.routes)}
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            queries = tuple(one["name"] for one in operation.get("parameters", ()) if one["in"] == "query")
            have = found.get(path, Route(path, ()))
            every = tuple(sorted({*have.methods, method.upper()}))
            found[path] = Route(path, every, schema or have.schema, (*have.queries, *queries))
    return [found[path] for path in sorted(found)]


def schemas() -> dict[str, Any]:
    """Return the named schemas of the OpenAPI document."""
    app = make_app(Dependencies(*[None] * 8), Options())  # type: ignore[arg-type]
    named: dict[str, Any] = app.openapi().get("components", {}).get("schemas", {})
    return named


def _served(routes: Iterable[Any]) -> Iterator[Route]:
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is not None:
            yield from _served(inner.routes)
        elif getattr(route, "path", None):
            yield Route(route.path.replace(":path}", "}"), tuple(sorted(getattr(route, "methods", None) or METHODS)))


class Requests:
    """A generator of requests. `tokens` are users'; `sdk_tokens` are the drop-in endpoint's."""

    def __init__(self, rng: random.Random, known: Known, tokens: tuple[str, ...], sdk_tokens: tuple[str, ...]) -> None:
        self.routes = routes()
        self._rng = rng
        self._known = known
        self.tokens = tokens
        self.sdk_tokens = sdk_tokens
        self._schemas = schemas()
        self._operations = list(Catalogue.load())

    def endless(self) -> Iterator[Request]:
        """Yield requests, equally many for every route."""
        while True:
            for route in self._rng.sample(self.routes, len(self.routes)):
                yield self.one(route)

    def one(self, route: Route) -> Request:
        """Return a request to a route."""
        rng = self._rng
        odd = rng.random() < 0.35
        method = rng.choice(
            _ODD_METHODS if odd and rng.random() < 0.2 else route.methods if rng.random() < 0.8 else METHODS
        )
        target = rng.choice(_ODD_TARGETS) if odd and rng.random() < 0.1 else self._target(route)
        body = self._body(route) if method in ("POST", "PUT", "PATCH") or rng.random() < 0.05 else b""
        lines = ["Host: localhost", "Connection: close", *self._credentials(route)]
        if body:
            lines.append(f"Content-Type: {rng.choice(('application/json', 'application/x-www-form-urlencoded'))}")
        version = "HTTP/1.1"
        if odd:
            lines += [
                rng.choice(_ODD_HEADERS).format(text=self._header_text()) for _ in range(rng.choice((1, 1, 2, 5)))
            ]
            version = rng.choice(("HTTP/1.1",) * 6 + ("HTTP/1.0", "HTTP/0.9", "HTTP/2.0", "HTTP/1.1 x", ""))
        framing = self._framed(body, odd)
        head = f"{method} {target} {version}\r\n" + "\r\n".join([*lines, *framing[0]]) + "\r\n\r\n"
        data = head.encode("latin-1", "replace") + framing[1]
        if odd and rng.random() < 0.1:
            data = rng.choice(
                (data[: rng.randrange(len(data))], data * 3, data.replace(b"\r\n", b"\n"), b"\r\n\r\n" + data)
            )
        pieces = (
            tuple(sorted(rng.randrange(len(data) + 1) for _ in range(rng.choice((1, 3))))) if rng.random() < 0.1 else ()
        )
        return Request(data, route.path, not odd, pieces)

    def _target(self, route: Route) -> str:
        rng, path = self._rng, route.path
        if path in ("/{sp-api}", "/api/amazon/accounts/{account_id}/sp-api/{path}"):
            operation = rng.choice(self._operations)
            path = path.replace("/{sp-api}", operation.path).replace("/{path}", operation.path)
        parts = path.split("{")
        filled = parts[0]
        for part in parts[1:]:
            name, _, rest = part.partition("}")
            filled += self._segment(name) + rest
        names = [name for name in route.queries if rng.random() < 0.5]
        if rng.random() < 0.2:
            names.append(rng.choice(("x", "pageSize", "nextToken", "MarketplaceIds", "[]", "")))
        pairs = [f"{quote(name)}={quote(self._text(name), safe='')}" for name in names]
        query = "?" + "&".join(pairs) if pairs else ""
        if rng.random() < 0.03:
            query += rng.choice(("?&&&=", "&%ff=%", "?" + "a=1&" * 2_000, "?" + "%00"))
        return filled + query

    def _segment(self, name: str) -> str:
        rng = self._rng
        text = self._text(name)
        raw = rng.random() < 0.1 and not set(text) & set(" \r\n\0")
        return text if raw and text.isascii() else quote(text.encode("utf-8", "replace"), safe="")

    def _text(self, name: str) -> str:
        known = self._known.pick(_snake(name), self._rng)
        if known and self._rng.random() < 0.7:
            return known
        return (
            values.hostile(self._rng)[:3_000] if self._rng.random() < 0.7 else str(values.number(self._rng, -1, 2**63))
        )

    def _header_text(self) -> str:
        return values.hostile(self._rng)[:4_000].encode("utf-8", "replace").decode("latin-1")

    def _credentials(self, route: Route) -> Iterator[str]:
        rng = self._rng
        if rng.random() < 0.9:
            token = rng.choice(self.tokens)
            yield f"Authorization: Bearer {token if rng.random() < 0.95 else token[:-3] + 'AAA'}"
        if route.path == "/{sp-api}" and rng.random() < 0.95:
            yield f"x-amz-access-token: {rng.choice(self.sdk_tokens)}"

    def _body(self, route: Route) -> bytes:
        rng = self._rng
        if route.path == "/auth/o2/token":
            names = ("grant_type", "client_id", "client_secret", "refresh_token", "scope")
            return "&".join(f"{name}={quote(self._text(name))}" for name in names if rng.random() < 0.8).encode()
        if route.schema and rng.random() < 0.85:
            made = self._of_schema(route.schema, "", 0)
            return json.dumps(made, ensure_ascii=rng.random() < 0.7).encode("utf-8", "surrogatepass")
        return values.body(rng)

    def _of_schema(self, schema: Any, name: str, depth: int) -> Any:
        rng = self._rng
        if depth > 5 or rng.random() < 0.06:
            return values.document(rng)
        if "$ref" in schema:
            return self._of_schema(self._schemas[schema["$ref"].rpartition("/")[2]], name, depth)
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return self._of_schema(rng.choice(schema[several]), name, depth)
        if "enum" in schema:
            return rng.choice(schema["enum"])
        kind = schema.get("type")
        if kind == "object" or "properties" in schema:
            required, properties = schema.get("required", ()), schema.get("properties", {})
            chosen = [one for one in properties if rng.random() < (0.95 if one in required else 0.4)]
            return {one: self._of_schema(properties[one], one, depth + 1) for one in chosen}
        if kind == "array":
            return [self._of_schema(schema.get("items", {}), name, depth + 1) for _ in range(rng.choice((0, 1, 2, 33)))]
        if kind in ("integer", "number"):
            return rng.choice(values.NUMBERS)
        if kind == "boolean":
            return rng.random() < 0.5
        return self._text(name) if kind == "string" else values.document(rng)

    def _framed(self, body: bytes, odd: bool) -> tuple[list[str], bytes]:
        """Return the framing headers and the body as sent."""
        rng = self._rng
        if odd and rng.random() < 0.25:
            chunks = rng.choice(_CHUNKS).replace("{text}", self._header_text())
            return [
                "Transfer-Encoding: chunked",
                *(["Content-Length: 3"] if rng.random() < 0.3 else []),
            ], chunks.encode("latin-1")
        if odd and rng.random() < 0.1:
            return [f"Content-Length: {max(0, len(body) + rng.choice((-1, 1, 100)))}"], body
        if body and rng.random() < 0.2:
            return ["Transfer-Encoding: chunked"], b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        return [f"Content-Length: {len(body)}"] if body else [], body


def _snake(name: str) -> str:
    """Return a REST API name in the contracts' spelling."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
