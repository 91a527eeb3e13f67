"""Targets: the rows, encrypted values and keys of the former system, and its database's URL."""

import base64
from datetime import UTC, datetime

from tests.fuzz.parsers.inputs import as_json, lines_of, object_in
from tests.fuzz.parsers.target import CANARY, Parser, Target

LEGACY = "sellergate_cli.legacy"
_KEY, _IV = bytes(range(32)), bytes(range(16))


def _encrypted() -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.padding import PKCS7

    padder, encryptor = PKCS7(128).padder(), Cipher(algorithms.AES(_KEY), modes.CBC(_IV)).encryptor()
    padded = padder.update(CANARY.encode()) + padder.finalize()
    return encryptor.update(padded) + encryptor.finalize()


def _forms() -> list[str]:
    """Return an encrypted value in each layout."""
    sealed, b64 = _encrypted(), lambda data: base64.b64encode(data).decode()
    return [
        f"{_IV.hex()}:{sealed.hex()}",
        f"{b64(_IV)}:{b64(sealed)}",
        f"{_IV.hex()}:{b64(sealed)}",
        (_IV + sealed).hex(),
        b64(_IV + sealed),
        as_json({"iv": _IV.hex(), "content": sealed.hex()}).decode(),
        as_json({"iv": b64(_IV), "encryptedData": b64(sealed)}).decode(),
    ]


def legacy_value() -> Parser:
    """A value of an encrypted column is opened, or refused by the name of its field; a sample shows the layouts."""
    from pydantic import SecretBytes
    from sellergate_cli.legacy.ciphers import ENCRYPTED, LegacyCipher
    from sellergate_cli.legacy.detection import detect
    from sellergate_cli.legacy.notes import Refused
    from sellergate_cli.operator import SentenceError

    key = SecretBytes(_KEY)

    def read(data: bytes) -> object:
        text = data.decode("utf-8", "surrogateescape")
        found = detect([dict.fromkeys(ENCRYPTED, text)], key)
        assert found.lines()
        return [LegacyCipher(key, found.layouts).open(text, name) for name in ENCRYPTED]

    plain = ("amzn1.application-oa2-client.1", "Atzr|x", "a" * 64, "{}", '{"iv": 1}', ":")
    return Parser(read, (Refused, SentenceError), tuple(text.encode() for text in (*_forms(), *plain)))


def legacy_row() -> Parser:
    """A row is read completely, also into a message of gRPC, or refused."""
    from pydantic import SecretBytes
    from sellergate_cli.legacy.ciphers import LegacyCipher
    from sellergate_cli.legacy.notes import Refused, RowOutcome
    from sellergate_cli.legacy.rows import COLUMNS, Choices, inactive_seller, read_row, to_request

    cipher, now = LegacyCipher(SecretBytes(_KEY)), datetime(2026, 11, 26, tzinfo=UTC)

    def read(data: bytes) -> object:
        row = dict.fromkeys(COLUMNS) | object_in(data)
        inactive_seller(row)
        try:
            account = read_row(row, cipher, now)
        except Refused as error:
            RowOutcome("refused", str(row["id"]), error.name, error.reason).line().encode()
            raise
        return to_request(account, Choices()).SerializeToString()

    secret = _forms()[0]
    row = {
        "id": "1",
        "userId": "u",
        "amazonSellerId": "A1",
        "marketplace": "GB",
        "iamRoleArn": None,
        "region": "eu",
        **dict.fromkeys(("lwaClientId", "lwaClientSecret", "refreshToken"), secret),
        "marketplaceIds": '["A1F83G8C2ARO7P"]',
        "isActive": 1,
        "createdAt": 1700000000000,
        "updatedAt": "2026-01-01",
    }
    changes = ({}, {"marketplaceIds": '"[\\"A\\"]"'}, {"createdAt": "1e400"}, {"updatedAt": 1e308}, {"isActive": "t"})
    more = ({"createdAt": "0001-01-01T00:00:00+23:59"}, {"id": "\ud800"}, {"marketplaceIds": "A,B"}, {"userId": True})
    return Parser(read, (Refused,), tuple(as_json(row | change) for change in (*changes, *more)))


def legacy_key() -> Parser:
    """The former system's key, in each form but scrypt, which takes its time on purpose."""
    from pydantic import SecretStr
    from sellergate_cli.legacy.keys import parse_key
    from sellergate_cli.operator import SentenceError

    def read(data: bytes) -> object:
        text = data.decode("utf-8", "surrogateescape")
        keys = [parse_key(SecretStr(text), key_from) for key_from in ("sha256", "pad", None)]
        assert all(len(key.value.get_secret_value()) == 32 for key in keys)
        return keys

    forms = (_KEY.hex(), base64.b64encode(_KEY).decode(), "k" * 32, CANARY, "\u00e9" * 16, "\U0001f600" * 15 + "a")
    return Parser(read, (SentenceError,), tuple(form.encode() for form in forms))


def legacy_url() -> Parser:
    """A URL of a database is understood, or refused without its password."""
    from pydantic import SecretStr
    from sellergate_cli.legacy.database import parse_url
    from sellergate_cli.operator import SentenceError

    seeds = (
        f"postgresql://u:{CANARY}@db.test:5432/shop?schema=public&pgbouncer=true",
        f"postgres://u:{CANARY}@[::1]/shop?connect_timeout=1&connect_timeout=2",
        "file:./dev.db?connection_limit=1",
        f"mysql://u:{CANARY}@h/d",
        f"postgresql://u:{CANARY}@h:99999999/d",
        "sqlite://",
    )
    return Parser(
        lambda data: parse_url(SecretStr(data.decode("utf-8", "replace"))),
        (SentenceError,),
        tuple(map(str.encode, seeds)),
    )


def legacy_columns() -> Parser:
    from sellergate_cli.legacy.naming import choose_table, match_columns, parse_columns
    from sellergate_cli.operator import SentenceError

    def read(data: bytes) -> object:
        table, wanted, *rest = lines_of(data, 12)
        given = parse_columns([pair for pair in rest[:4] if pair])
        choose_table([table, *rest], wanted or None)
        return match_columns(table, rest, given)

    seeds = (b"AmazonAccount\n\nseller=amazonSellerId\nx=userId", b"amazon_accounts\nmine\nid\nuser_id", b"a\nb\n=id")
    # An error names the pair that the operator gave, and holds no value of a row.
    return Parser(read, (SentenceError, ValueError), seeds, lambda _: True)


TARGETS = (
    Target("legacy-value", (f"{LEGACY}.ciphers", f"{LEGACY}.layouts", f"{LEGACY}.detection"), legacy_value),
    Target("legacy-row", (f"{LEGACY}.rows", f"{LEGACY}.values"), legacy_row),
    Target("legacy-key", (f"{LEGACY}.keys",), legacy_key),
    Target("legacy-url", (f"{LEGACY}.database",), legacy_url),
    Target("legacy-columns", (f"{LEGACY}.naming",), legacy_columns),
)
