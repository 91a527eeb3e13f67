"""Targets: what callers of the edge send, and what its identity provider responds."""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from typing import Any

from tests.fuzz.parsers.inputs import as_json, http, http_of, text_of
from tests.fuzz.parsers.sealed import KEY
from tests.fuzz.parsers.target import CANARY, Parser, Target, finished, waited

EDGE = "sellergate_edge"
_SECRET = "a secret of at least sixty-four bytes, which the issuer and the edge share"
_CLAIMS = {"aud": "sellergate", "iss": "issuer", "sub": "u1", "exp": 2_000_000_000, "iat": 1, "nonce": "n"}
_NOW = 1_000_000_000.0


def _part(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _token_of(data: bytes, key: bytes, algorithm: str) -> str:
    """Return a token: the input itself, or two lines of JSON, a header and claims, with a valid signature."""
    if not data.startswith(b"{"):
        return text_of(data)
    header, _, claims = data.partition(b"\n")
    signed = _part(header) + b"." + _part(claims)
    digest = hashlib.sha512 if algorithm == "HS512" else hashlib.sha256
    return (signed + b"." + _part(hmac.digest(key, signed, digest))).decode()


def _tokens(header: dict[str, Any], claims: dict[str, Any], key: bytes, algorithm: str) -> list[bytes]:
    """Return inputs with signed tokens, and one as its text."""
    header = {"alg": algorithm, "typ": "JWT"} | header
    changes = (
        {},
        {"exp": 1},
        {"exp": "1e999"},
        {"aud": ["x", "sellergate"]},
        {"sub": {"a": CANARY}},
        {"iat": 1e400},
        {"amr": 5, "azp": [], "at_hash": 5, "auth_time": "x", "acr": {}},
    )
    seeds = [as_json(header) + b"\n" + as_json(claims | change) for change in changes]
    more = ({"alg": "none"}, {"kid": ["a"]}, {"typ": 5}, {"crit": ["b64"], "b64": False}, {"alg": "RS256"})
    seeds += [as_json(header | change) + b"\n" + as_json(claims) for change in more]
    return [*seeds, _token_of(seeds[0], key, algorithm).encode(), b"a.b.c", b"eyJhbGciOiJub25lIn0.e30."]


def bearer_token() -> Parser:
    from pydantic import SecretStr
    from sellergate_common.errors import Unauthenticated
    from sellergate_edge.authn.jwt import JwtAuthenticator, SharedSecret

    keys = SharedSecret(SecretStr(_SECRET))

    def read(data: bytes) -> object:
        authenticator = JwtAuthenticator(keys, "sellergate", "issuer", lambda: _NOW)
        token = _token_of(data, _SECRET.encode(), "HS256")
        scheme = "" if token[:7].lower() == "bearer " else "Bearer "
        return finished(authenticator.authenticate({"authorization": scheme + token}))

    return Parser(read, (Unauthenticated,), tuple(_tokens({}, _CLAIMS, _SECRET.encode(), "HS256")))


def id_token() -> Parser:
    from pydantic import SecretStr
    from sellergate_common.errors import Unauthenticated
    from sellergate_edge.authn.jwt import SharedSecret
    from sellergate_edge.sign_in.id_tokens import SignedIdTokens
    from sellergate_edge.sign_in.sign_in import Tokens

    check = SignedIdTokens(SharedSecret(SecretStr(_SECRET)), "sellergate", "issuer", lambda: _NOW)

    def read(data: bytes) -> object:
        token = _token_of(data, _SECRET.encode(), "HS256")
        return [finished(check.check(Tokens(token, access), "n")) for access in ("", "access")]

    return Parser(read, (Unauthenticated,), tuple(_tokens({}, _CLAIMS, _SECRET.encode(), "HS256")))


def drop_in_token() -> Parser:
    from sellergate_common.crypto.sealing import ring_key
    from sellergate_edge.dropin.tokens import ACCESS_TYPE, AUDIENCE, DropInTokens, TokenExpired, TokenInvalid

    key, tokens = ring_key("k1", KEY), DropInTokens(f"k1 {KEY}", lambda: _NOW)
    claims = {"aud": AUDIENCE, "exp": 2_000_000_000, "sub": "c", "usr": "u", "acc": "a", "scope": "s"}
    seeds = _tokens({"typ": ACCESS_TYPE, "kid": "k1"}, claims, key, "HS512")
    restricted = claims | {"res": [["GET", "/a", ["b"]], 5]}
    seeds.append(as_json({"typ": "sg-rdt+jwt", "kid": "k1", "alg": "HS512"}) + b"\n" + as_json(restricted))
    return Parser(lambda data: tokens.read(_token_of(data, key, "HS512")), (TokenExpired, TokenInvalid), tuple(seeds))


def drop_in_exchange() -> Parser:
    from sellergate_edge.dropin import exchange

    def read(data: bytes) -> object:
        one = http_of(data)
        fields = exchange._fields(one.word, one.body)
        exchange.read_scopes(exchange._given(fields, "scope"), {"sellingpartnerapi::notifications"})
        return [exchange._given(fields, name) for name in ("grant_type", "client_id", "client_secret")]

    form, scope = "application/x-www-form-urlencoded", "sellingpartnerapi::notifications"
    fields = {"grant_type": "client_credentials", "client_id": "c", "client_secret": CANARY, "scope": scope}
    text = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
    seeds = (
        http(200, fields, word="application/json; charset=utf-8"),
        http(200, text, word=form),
        http(200, text * 30, word=form),
        http(200, fields | {"scope": "x"}, word="Application/JSON"),
        http(200, b"\xff=%ff%zz", word=form),
    )
    return Parser(read, (exchange.Refused,), seeds)


def drop_in_resources() -> Parser:
    from sellergate_common.errors import InvalidRequest
    from sellergate_edge.dropin.sp_api import _resources

    one = {"method": "GET", "path": "/orders/v0/orders", "dataElements": ["buyerInfo"]}
    documents = ([one], one, [one] * 60, [one | {"dataElements": 5}], [one | {"path": None}], "text", 5, [[]])
    seeds = [as_json({"restrictedResources": rows}) for rows in documents]
    return Parser(
        _resources, (InvalidRequest,), (*seeds, as_json({"restrictedResources": [], "targetApplication": "a"}))
    )


def signing_keys() -> Parser:
    """A provider's published keys, or a failed fetch."""
    import jwt
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from sellergate_edge.authn.jwks_publisher import FetchFailed, Publisher

    class Given(Publisher):
        """A publisher whose response is the input."""

        body = b""

        async def _body(self) -> tuple[bytes, str]:
            one = http_of(self.body)
            return one.body, one.word

    publisher = Given("https://jwks.test/")

    async def fetch(data: bytes) -> object:
        publisher.body = data
        return await publisher.fetch()

    rsa_key = jwt.algorithms.RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048).public_key(), as_dict=True)
    ec_key = jwt.algorithms.ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
    keys = [key | {"kid": "1", "use": "sig"} for key in (rsa_key, ec_key)]
    sets = ({"keys": keys}, {"keys": keys[:1]}, {"keys": [keys[1] | {"kid": 5}]}, {"keys": 5}, {"keys": [{"kty": "x"}]})
    return Parser(
        lambda data: waited(fetch(data)),
        (FetchFailed,),
        tuple(http(200, one, word="application/json") for one in sets),
    )


def provider_metadata() -> Parser:
    from sellergate_amazon import parsing
    from sellergate_edge.sign_in.provider import MAX_RESPONSE_BYTES, _metadata

    base = "https://id.test/realms/a"
    names = ("authorization_endpoint", "token_endpoint", "end_session_endpoint")
    document: dict[str, object] = {"issuer": base, **{name: f"{base}/{name}?x=1" for name in names}}
    changes = ({}, {"token_endpoint_auth_methods_supported": ["none"]}, {"token_endpoint": f"http://{CANARY}/"})
    more = ({"token_endpoint": "https://[::1"}, {"end_session_endpoint": 5}, {"token_endpoint": "https://a:b@c/#d"})
    return Parser(
        lambda data: _metadata(parsing.parse_object(data, most=MAX_RESPONSE_BYTES)),
        (ValueError,),
        tuple(as_json(document | change) for change in (*changes, *more)),
    )


_HEADERS = ("x-request-id", "traceparent", "if-match", "x-sellergate-max-wait", "x-sellergate-timeout", "query", "path")


def request_parts() -> Parser:
    """Headers, names of query parameters and paths of the pass-through: each is used, dropped or refused by its name."""
    from sellergate_common.context import trace_context
    from sellergate_common.errors import InvalidRequest
    from sellergate_edge import forwarding, middleware, request_body
    from sellergate_edge.routes import accounts, pass_through, query_names
    from starlette.requests import Request

    def read(data: bytes) -> object:
        given = dict(zip(_HEADERS, data.decode("latin-1").split("\n", len(_HEADERS) - 1), strict=False))
        request = Request({"type": "http", "headers": [(k.encode(), v.encode("latin-1")) for k, v in given.items()]})
        assert len(middleware._request_id(given["x-request-id"])) <= 64
        trace_context(given.get("traceparent", "")).encode("ascii")
        raw = b"/api/amazon/accounts/a/sp-api" + given.get("path", "").encode("latin-1")
        account, path = pass_through._target(raw)
        (account + path).encode("utf-8")
        request_body.check_json(data, "application/json")
        query_names.check_query_names(given.get("query", "").split("&"), frozenset({"pageSize", "pageToken", "label"}))
        return (
            accounts._etag(given.get("if-match")),
            forwarding.max_wait_of(request, 0),
            forwarding.seconds_of(request, 9),
        )

    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    seeds = (
        f'id\n{trace}\n"e"\n1.5\n30\npageSize\n/sellers/v1/x',
        f"Atzr|{CANARY}\n00-zz\n*\n1e1\n-1\npage_size&x\n/sellers%2Fv1%2F%ff%C3%A9",
        "\n\n\n\n\n\n/a%2fb\u00e9%",
    )
    errors = (InvalidRequest,)
    return Parser(read, errors, tuple(text.encode("latin-1") for text in seeds))


def page_token() -> Parser:
    from datetime import UTC, datetime

    from sellergate_account.model import Cursor
    from sellergate_account.rpc import page_tokens
    from sellergate_account.storage.feed import cursors
    from sellergate_common.errors import InvalidRequest

    def read(data: bytes) -> object:
        text = text_of(data)
        # Three lines of JSON's parts in place of base64, so that mutations reach what is inside.
        if text.startswith("["):
            text = urlsafe_b64encode(data).decode().rstrip("=")
        found = cursors.parse(text_of(data))
        assert found is None or str(found)
        page_tokens.decode_number(text, "q")
        return page_tokens.decode(text, "q")

    digest = page_tokens._digest("q")
    rows = (["2026-11-26T10:00:00+00:00", "a1", digest], ["2026-11-26T10:00:00", "5", digest], ["0001-01-01", "a", "x"])
    more = ({"a": 1, "b": 2, "c": 3}, [1, 2, 3], ["9999-12-31T23:59:59-23:59", "a", digest], ["a", [], {}])
    token = page_tokens.encode(Cursor(datetime(2026, 1, 1, tzinfo=UTC), "a"), "q")
    seeds = (*map(as_json, (*rows, *more)), token.encode(), b"0123-abcd.17.1700000000")
    return Parser(read, (InvalidRequest,), seeds)


TARGETS = (
    Target("bearer-token", (f"{EDGE}.authn.jwt",), bearer_token),
    Target("id-token", (f"{EDGE}.sign_in.id_tokens",), id_token),
    Target("drop-in-token", (f"{EDGE}.dropin.tokens",), drop_in_token),
    Target("drop-in-exchange", (f"{EDGE}.dropin.exchange",), drop_in_exchange),
    Target("drop-in-resources", (f"{EDGE}.dropin.sp_api",), drop_in_resources),
    Target("signing-keys", (f"{EDGE}.authn.jwks_publisher",), signing_keys),
    Target("provider-metadata", (f"{EDGE}.sign_in.provider",), provider_metadata),
    Target(
        "request-parts",
        (f"{EDGE}.routes.query_names", f"{EDGE}.routes.pass_through", f"{EDGE}.forwarding", f"{EDGE}.request_body"),
        request_parts,
    ),
    Target(
        "page-token",
        ("sellergate_account.rpc.page_tokens", "sellergate_account.storage.feed.cursors"),
        page_token,
    ),
)
