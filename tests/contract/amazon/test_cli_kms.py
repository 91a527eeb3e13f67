"""`sellergate keys --kms` against a real KMS: the account service can decrypt its output."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sellergate_account.secrets.kms import CannotUnwrap, Kms, unwrap_key, unwrap_ring
from sellergate_cli.__main__ import app
from sellergate_common.crypto.sealing import KeyRing, parse_key
from sellergate_common.crypto.wrapping import SingleUse
from sellergate_devstack.processes.ports import free_ports
from typer.testing import CliRunner

from tests.contract.amazon.kms_server import ACCESS, KmsServer, running_kms

RUNNER = CliRunner()


@pytest.fixture(scope="module")
def server() -> Iterator[KmsServer]:
    with running_kms() as running:
        yield running


@pytest.fixture
def kms(server: KmsServer, monkeypatch: pytest.MonkeyPatch) -> Kms:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return Kms(ACCESS["AWS_REGION"])


def test_a_wrapped_line_and_a_wrapped_single_key_open(server: KmsServer, kms: Kms) -> None:
    lines = [RUNNER.invoke(app, ["keys", "new", "--kms", server.key, "--kid", "k1"]).output for _ in range(2)]
    rings = [KeyRing.parse(unwrap_ring(SecretStr(one), kms).get_secret_value()) for one in lines]
    assert lines[0].startswith("k1 kms:")
    assert rings[0].keys["k1"].raw_value != rings[1].keys["k1"].raw_value
    dated = RUNNER.invoke(app, ["keys", "new", "--kms", server.key.rpartition("/")[2]]).output
    assert KeyRing.parse(unwrap_ring(SecretStr(dated), kms).get_secret_value()).newest.startswith("k20")
    for use in SingleUse:
        single = RUNNER.invoke(app, ["keys", "new", "--single", "--for", use.value, "--kms", server.key]).output
        assert len(parse_key(unwrap_key(SecretStr(single), kms, use).get_secret_value(), "")) == 32
        (other,) = set(SingleUse) - {use}
        with pytest.raises(CannotUnwrap):
            unwrap_key(SecretStr(single), kms, other)


def test_a_plain_ring_gets_a_wrapped_key_in_front_and_back(server: KmsServer, kms: Kms, tmp_path: Path) -> None:
    file = tmp_path / "ring"
    file.write_text(RUNNER.invoke(app, ["keys", "new", "--kid", "plain"]).output)
    sealed = KeyRing.parse(file.read_text()).seal("x", "place")
    for kid, options in (("wrapped", ["--kms", server.key]), ("last", [])):
        done = RUNNER.invoke(app, ["keys", "rotate", str(file), "--kid", kid, *options])
        assert done.exit_code == 0, done.output
    assert "2 older keys still decrypt" in done.output
    ring = KeyRing.parse(unwrap_ring(SecretStr(file.read_text()), kms).get_secret_value())
    assert list(ring.keys) == ["last", "wrapped", "plain"]
    assert ring.open(sealed, "place").get_secret_value() == "x"


def test_a_failure_is_reported_and_changes_nothing(
    server: KmsServer, kms: Kms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ring"
    file.write_text(before := RUNNER.invoke(app, ["keys", "new"]).output)

    def run_keys(*arguments: str) -> tuple[int, str]:
        done = RUNNER.invoke(app, ["keys", *arguments])
        assert file.read_text() == before
        assert done.exception is None or isinstance(done.exception, SystemExit)
        return done.exit_code, done.output

    assert run_keys("new", "--single", "--kms", server.key)[0] == 2
    assert run_keys("new", "--for", "index-key", "--kms", server.key)[0] == 2
    assert run_keys("new", "--single", "--for", "sealing-keys", "--kms", server.key)[0] == 2
    assert run_keys("new", "--kms", server.key, "--kid", "not an id")[0] == 2
    code, output = run_keys("rotate", str(file), "--kid", "k2", "--kms", "alias/none")
    assert (code, "alias/none (NotFoundException)" in output) == (1, True), output
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{free_ports(1)[0]}")
    code, output = run_keys("rotate", str(file), "--kid", "k2", "--kms", server.key)
    assert (code, "(EndpointConnectionError)" in output) == (1, True), output
    monkeypatch.setitem(sys.modules, "boto3", None)
    code, output = run_keys("new", "--kms", server.key)
    assert (code, "none-any.whl[cli,kms]" in output) == (2, True), output
