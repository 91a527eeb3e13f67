"""Wrapped keys against moto's KMS: each opens only in its own place, and no message shows a key."""

import base64
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from pydantic import SecretStr
from sellergate_account.secrets.kms import CannotUnwrap, Kms, open_keys, unwrap_key, unwrap_ring
from sellergate_account.settings import SINGLE_KEYS, AccountSettings
from sellergate_common.crypto.sealing import KeyRing, encode_key, parse_key
from sellergate_common.crypto.wrapping import SingleUse
from sellergate_common.settings import SettingsError, read_settings
from sellergate_devstack.processes.ports import free_ports

from tests.contract.amazon.kms_server import ACCESS, KmsServer, line, running_kms

OLD, NEW, SINGLE = os.urandom(64), os.urandom(64), os.urandom(32)
ALL = (OLD, NEW, SINGLE)


@pytest.fixture(scope="module")
def server() -> Iterator[KmsServer]:
    with running_kms() as running:
        yield running


@pytest.fixture
def kms(server: KmsServer, monkeypatch: pytest.MonkeyPatch) -> Kms:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Kms(ACCESS["AWS_REGION"])


def shows_no_key(text: str) -> None:
    for key in ALL:
        for shape in (encode_key(key), base64.b64encode(key).decode(), key.hex(), repr(key)):
            assert shape[:16] not in text


def ring(text: str) -> KeyRing:
    return KeyRing.parse(text)


def test_a_ring_with_a_plain_and_a_wrapped_line_opens_and_seals(server: KmsServer, kms: Kms) -> None:
    mixed = SecretStr(f"new {server.wrap(NEW, 'sealing-keys', 'new')}\n\n{line('old', OLD)}\n")
    opened = unwrap_ring(mixed, kms)
    shows_no_key(f"{opened!r} {opened} {kms!r}")
    found = ring(opened.get_secret_value())
    assert list(found.keys) == ["new", "old"]
    plain = ring(f"{line('new', NEW)}\n{line('old', OLD)}")
    assert found.open(plain.seal("x", "place"), "place").get_secret_value() == "x"
    assert plain.open(found.seal("y", "place"), "place").get_secret_value() == "y"
    assert found.open(ring(line("old", OLD)).seal("z", "place"), "place").get_secret_value() == "z"


def test_a_single_key_opens_and_a_plain_one_stays_unchanged(server: KmsServer, kms: Kms) -> None:
    opened = unwrap_key(SecretStr(server.wrap(SINGLE, "index-key")), kms, SingleUse.INDEX_KEY)
    assert parse_key(opened.get_secret_value(), "") == SINGLE
    plain = SecretStr(encode_key(SINGLE) + "\n")
    unreachable = Kms("no region")
    assert parse_key(unwrap_key(plain, unreachable, SingleUse.INDEX_KEY).get_secret_value(), "") == SINGLE
    assert ring(unwrap_ring(SecretStr(line("k1", NEW)), unreachable).get_secret_value()).newest == "k1"


@pytest.mark.parametrize(("use", "kid"), [("sealing-keys", "k2"), ("index-key", "k1"), ("index-key", "single")])
def test_a_line_wrapped_for_another_place_is_refused(server: KmsServer, kms: Kms, use: str, kid: str) -> None:
    with pytest.raises(CannotUnwrap, match=r"does not open key k1 \(InvalidCiphertextException\)") as caught:
        unwrap_ring(SecretStr(f"k1 {server.wrap(NEW, use, kid)}"), kms)
    shows_no_key(str(caught.value))


@pytest.mark.parametrize(("use", "kid"), [("audit-key", "single"), ("sealing-keys", "single"), ("index-key", "k1")])
def test_a_single_key_wrapped_for_another_use_is_refused(server: KmsServer, kms: Kms, use: str, kid: str) -> None:
    with pytest.raises(CannotUnwrap, match=r"does not open the index key \(InvalidCiphertextException\)"):
        unwrap_key(SecretStr(server.wrap(SINGLE, use, kid)), kms, SingleUse.INDEX_KEY)


def test_a_foreign_or_changed_ciphertext_is_refused(server: KmsServer, kms: Kms) -> None:
    good = base64.b64decode(server.wrap(NEW, "sealing-keys", "k1").removeprefix("kms:"))
    for wrong in (os.urandom(150), good[:-1] + bytes([good[-1] ^ 1])):
        with pytest.raises(CannotUnwrap, match="does not open key k1") as caught:
            unwrap_ring(SecretStr(f"k1 kms:{base64.b64encode(wrong).decode()}"), kms)
        assert "Exception); " in str(caught.value)
        assert caught.value.__suppress_context__


def test_a_key_of_another_region_does_not_open(server: KmsServer, kms: Kms) -> None:
    text = SecretStr(f"k1 {server.wrap(NEW, 'sealing-keys', 'k1')}")
    with pytest.raises(CannotUnwrap, match=r"does not open key k1 \(AccessDeniedException\)"):
        unwrap_ring(text, Kms("us-east-1"))
    assert ring(unwrap_ring(text, kms).get_secret_value()).newest == "k1"


def test_a_wrapped_key_of_the_wrong_size_is_refused(server: KmsServer, kms: Kms) -> None:
    with pytest.raises(ValueError, match="key k1 of the key ring does not have 64 bytes"):
        unwrap_ring(SecretStr(f"k1 {server.wrap(SINGLE, 'sealing-keys', 'k1')}"), kms)
    with pytest.raises(ValueError, match="the index key must be"):
        unwrap_key(SecretStr(server.wrap(SINGLE[:31], "index-key")), kms, SingleUse.INDEX_KEY)


def test_a_kms_that_is_down_or_invalid_is_reported(
    server: KmsServer, kms: Kms, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SecretStr(f"k1 {server.wrap(NEW, 'sealing-keys', 'k1')}")
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(
        CannotUnwrap, match=r"a KMS request failed for key k1 \(EndpointConnectionError\); check AWS_REGION"
    ):
        unwrap_ring(text, Kms("eu-west-1"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "nonsense")
    with pytest.raises(CannotUnwrap, match=r"key k1 \(ValueError\)"):
        unwrap_ring(text, Kms("eu-west-1"))
    with pytest.raises(CannotUnwrap, match=r"key k1 \(InvalidRegionError\)"):
        unwrap_ring(text, Kms("no region"))


@pytest.mark.parametrize(
    ("status", "body", "cause"),
    [
        (200, b"<html>", "no key"),
        (200, b"{}", "no key"),
        (200, b'"x"', "AttributeError"),
        (200, b'{"Plaintext": 3}', "TypeError"),
        (400, b'{"__type": "x#Two\\nLines", "message": "hunter2"}', "does not open key k1 .TwoLines."),
        (403, b"<html>", "does not open key k1 .403."),
    ],
)
def test_an_endpoint_that_is_not_kms_is_reported_in_one_line(
    kms: Kms, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, cause: str
) -> None:
    class Foreign(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's signature)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as foreign:
        Thread(target=foreign.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{foreign.server_port}")
        with pytest.raises(CannotUnwrap, match=cause) as caught:
            unwrap_ring(SecretStr("k1 kms:AAAA"), kms)
        foreign.shutdown()
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def settings(kms: Kms, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("REDIS_URL", "redis://localhost")
    monkeypatch.setenv("SELLERGATE_SEALING_KEYS", line("k1", NEW))
    monkeypatch.setenv("SELLERGATE_INDEX_KEY", encode_key(SINGLE))
    monkeypatch.setenv("SELLERGATE_AUDIT_KEY", encode_key(SINGLE))
    for name in ("CA", "CERT", "KEY"):
        monkeypatch.setenv(f"SELLERGATE_TLS_{name}_FILE", __file__)
    return monkeypatch


@pytest.mark.parametrize("bad", ["kms:", "kms:?", "kms:AAA", "kms:AA_-", "kms:" + "A" * 8196, "aws:AAAA"])
def test_a_bad_shape_is_an_error_of_its_setting(settings: pytest.MonkeyPatch, bad: str) -> None:
    settings.setenv("SELLERGATE_SEALING_KEYS", f"{line('k1', NEW)}\nk2 {bad}")
    settings.setenv("SELLERGATE_INDEX_KEY", bad)
    with pytest.raises(SettingsError) as caught:
        read_settings(AccountSettings)
    problems = caught.value.problems
    assert [one.partition(":")[0] for one in problems] == ["SELLERGATE_SEALING_KEYS", "SELLERGATE_INDEX_KEY"]
    assert "key k2 of the key ring" in problems[0]
    assert "the index key" in problems[1]
    shows_no_key(str(problems))
    assert "AAA" not in str(problems)


def test_all_keys_of_the_settings_open_or_the_first_fault_names_its_setting(
    server: KmsServer, settings: pytest.MonkeyPatch
) -> None:
    settings.setenv("SELLERGATE_SEALING_KEYS", f"k1 {server.wrap(NEW, 'sealing-keys', 'k1')}")
    settings.setenv("SELLERGATE_INDEX_KEY", server.wrap(SINGLE, "index-key"))
    settings.setenv("SELLERGATE_AUDIT_KEY", server.wrap(SINGLE, "audit-key"))
    loaded = read_settings(AccountSettings)
    opened = open_keys(loaded)
    assert {name: key.get_secret_value() for name, key in opened.items()} == {
        "sealing_keys": line("k1", NEW),
        "index_key": encode_key(SINGLE),
        "audit_key": encode_key(SINGLE),
    }
    shows_no_key(f"{opened!r} {loaded.model_copy(update=opened)!r}")
    settings.setenv("SELLERGATE_INDEX_KEY", server.wrap(SINGLE, "audit-key"))
    with pytest.raises(SettingsError, match=r"^SELLERGATE_INDEX_KEY: KMS does not open the index key"):
        open_keys(read_settings(AccountSettings))


def test_every_single_key_of_the_settings_can_be_wrapped() -> None:
    assert set(SINGLE_KEYS) == {name for name in AccountSettings.model_fields if name.endswith("_key")}
