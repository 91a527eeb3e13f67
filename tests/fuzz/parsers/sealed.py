"""Targets: sealed values, what is in them, keys, and the statuses of services."""

import base64
import json

from tests.fuzz.parsers.inputs import text_of
from tests.fuzz.parsers.target import CANARY, Parser, Target

CRYPTO, CACHE = "sellergate_common.crypto", "sellergate_common.cache"
KEY = base64.urlsafe_b64encode(bytes(range(64))).decode().rstrip("=")
OTHER_KEY = base64.urlsafe_b64encode(bytes(range(1, 65))).decode().rstrip("=")
PLACE = "accounts/a/refresh_token/1"
_JWE_HEADER = {"alg": "dir", "enc": "A256CBC-HS512", "kid": "k1", "place": PLACE}


def _with_header(sealed: str, **changes: object) -> bytes:
    """Return a sealed value with another header."""
    header = base64.urlsafe_b64encode(json.dumps(_JWE_HEADER | changes).encode()).decode().rstrip("=")
    return ".".join([header, *sealed.split(".")[1:]]).encode()


def sealed_value() -> Parser:
    """A sealed value opens only as it was sealed."""
    from sellergate_common.crypto.sealing import KeyRing, SealError

    ring = KeyRing.parse(f"k1 {KEY}\nk0 {OTHER_KEY}")
    own = [ring.seal(CANARY, PLACE), KeyRing.parse(f"k0 {OTHER_KEY}").seal(CANARY, PLACE), ring.seal(CANARY, "other")]

    def read(data: bytes) -> object:
        text = data.decode("utf-8", "surrogateescape")
        ring.is_current(text)
        assert ring.open(text, PLACE).get_secret_value() == CANARY
        return None

    seeds = [one.encode() for one in own]
    changes = ({"alg": "none"}, {"kid": ["k1"]}, {"zip": "DEF"}, {"place": {}}, {"enc": "A128GCM"}, {"crit": ["a"]})
    seeds += [_with_header(own[0], **one) for one in changes]
    return Parser(read, (SealError,), (*seeds, b"....", b"e30....", b"\xff"))


def sealed_entry() -> Parser:
    """The text in a sealed entry, which another release may have written."""
    from pydantic import SecretStr
    from sellergate_common.cache import negative, payloads
    from sellergate_common.status import from_bytes
    from sellergate_gateway.credentials.restricted_redis import _decode

    def read(data: bytes) -> object:
        text = text_of(data)
        from_bytes(negative._decode(SecretStr(text)))
        faults = list[Exception]()
        for decode in (payloads.TokenPayload.decode, payloads.CredentialsPayload.decode, _decode):
            try:
                decode(text)
            except (ValueError, TypeError, KeyError) as error:
                faults.append(error)
        if faults:
            raise faults[0]
        return None

    times = {"expire_time": 1e9, "life": 3600.0, "new_field": 1}
    names = ("access_token", "access_key_id", "secret_access_key", "session_token", "token")
    seeds = [json.dumps({**times, **dict.fromkeys(names, CANARY)}).encode()]
    seeds += [json.dumps({**times, "access_token": "a", "refresh_token": CANARY, "token": "a"}).encode()]
    # A text that is none has its place in the error of the standard library, and the caller drops it.
    return Parser(read, (ValueError, TypeError, KeyError), tuple(seeds), lambda _: True)


def service_status() -> Parser:
    """The status in the trailers of a call, or none."""
    from sellergate_common.errors import FieldViolation, InvalidRequest, NotFound, Reason, Resource, Unavailable
    from sellergate_common.status import from_bytes, to_status

    errors = (
        InvalidRequest("a", violations=[FieldViolation("b", "c")]),
        Unavailable("a", retry_after=1.5, metadata={"d": "e"}),
        NotFound("a", reason=Reason.ACCOUNT_NOT_FOUND, resource=Resource("account", "1"), help_url="https://a.test"),
    )
    return Parser(from_bytes, (), tuple(to_status(error, "account").SerializeToString() for error in errors))


def key_text() -> Parser:
    """Keys as an operator gives them: an error says which line is wrong, and shows no key."""
    from pydantic import SecretStr
    from sellergate_common.crypto import sealing, wrapping
    from sellergate_token.rotation.webhooks import parse_secrets

    readers = (
        sealing.KeyRing.parse,
        lambda text: sealing.parse_key(text, "SELLERGATE_INDEX_KEY"),
        lambda text: wrapping.wrapped_ring_text(SecretStr(text)),
        lambda text: wrapping.wrapped_key_text(SecretStr(text), wrapping.SingleUse.INDEX_KEY),
        parse_secrets,
    )

    def read(data: bytes) -> object:
        text, faults = text_of(data), list[ValueError]()
        for reader in readers:
            try:
                reader(text)
            except ValueError as error:
                faults.append(error)
        texts = " ".join(map(str, faults))
        assert KEY not in texts
        if faults:
            raise ValueError(texts)
        return None

    wrapped = wrapping.wrapped(b"ciphertext")
    texts = (f"k1 {KEY}\nk0 {wrapped}", KEY, wrapped, f"app {CANARY * 3}\napp {KEY}", f"k1 {KEY}\nk1 {KEY}", CANARY)
    # The ID of a key is no secret, so that a message may name the text before a key.
    return Parser(read, (ValueError,), tuple(text.encode() for text in texts), lambda data: b" " in data)


TARGETS = (
    Target("sealed-value", (f"{CRYPTO}.sealing",), sealed_value),
    Target("sealed-entry", (f"{CACHE}.payloads", f"{CACHE}.negative"), sealed_entry),
    Target("service-status", ("sellergate_common.status",), service_status),
    Target("key-text", (f"{CRYPTO}.sealing", f"{CRYPTO}.wrapping", "sellergate_token.rotation.webhooks"), key_text),
)
