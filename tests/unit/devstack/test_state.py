"""The state directory: created once, kept, readable only by its owner; and the environment of each process."""

import json
import stat
from pathlib import Path

import pytest
from cryptography import x509
from sellergate_common.crypto.sealing import KeyRing, parse_key
from sellergate_devstack.certificates import Authority
from sellergate_devstack.plan import make_plan
from sellergate_devstack.processes import ports
from sellergate_devstack.settings import DevstackSettings
from sellergate_devstack.state import RINGS, State, StateInUse


def test_keys_are_good_private_and_kept(tmp_path: Path) -> None:
    state = State(tmp_path / "s")
    before = {path: path.read_bytes() for path in (tmp_path / "s").rglob("*") if path.is_file()}
    for ring in RINGS:
        KeyRing.parse(state.key_file(ring).read_text())
    for key in ("index", "audit"):
        parse_key(state.key_file(key).read_text(), key)
    assert len(state.key_file("jwt").read_text().strip()) >= 32
    for path in before:
        if path.suffix != ".pem" and path.name != "lock":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    State(tmp_path / "s")
    assert {path: path.read_bytes() for path in before} == before


def test_a_directory_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    for name in ("keys", "logs"):
        (folder / name).mkdir(parents=True)
    for path in (folder, folder / "keys", folder / "logs"):
        path.chmod(0o777)
    State(folder)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "keys", folder / "logs")} == {0o700}


def test_a_state_directory_is_held_once(tmp_path: Path) -> None:
    state = State(tmp_path)
    with state.locked(), pytest.raises(StateInUse, match="set SELLERGATE_STATE_DIR"), State(tmp_path).locked():
        pass
    with state.locked():
        pass


def test_redis_takes_no_port_that_a_process_of_the_plan_will_want(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter([20_003, 20_010, 20_021])
    monkeypatch.setattr("random.randrange", lambda *_: next(drawn))
    monkeypatch.setattr(ports, "is_taken", lambda _: False)
    settings = DevstackSettings(simulator_port=20_000, edge_port=20_010)
    assert ports.free_ports(1, besides=settings.ports) == [20_021]


def test_certificates_carry_one_identity_and_their_service_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    for name in ("account", "operator", "client/demo"):
        certificate = x509.load_pem_x509_certificate(authority.issue(name).certificate.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == [f"spiffe://sellergate/{name}"]
        assert ("account.sellergate" in names.get_values_for_type(x509.DNSName)) is (name == "account")
        assert "localhost" in names.get_values_for_type(x509.DNSName)


def test_certificates_are_kept_until_the_authority_changes(tmp_path: Path) -> None:
    first = Authority(tmp_path).issue("account").certificate.read_bytes()
    assert Authority(tmp_path).issue("account").certificate.read_bytes() == first
    (tmp_path / "ca.pem").unlink()
    assert Authority(tmp_path).issue("account").certificate.read_bytes() != first


def test_each_process_knows_what_its_context_needs_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "operators-own")
    monkeypatch.setenv("UNRELATED_SECRET", "x")
    monkeypatch.delenv("AWS_ENDPOINT_URL_STS", raising=False)
    plan = make_plan(DevstackSettings(state_dir=tmp_path, simulator="on"), State(tmp_path))
    known = {process.name: process.environment for process in plan.processes()}

    def processes_with(variable: str) -> set[str]:
        return {name for name, environment in known.items() if variable in environment}

    assert processes_with("SELLERGATE_SEALING_KEYS_FILE") == processes_with("SELLERGATE_INDEX_KEY_FILE") == {"account"}
    assert processes_with("SELLERGATE_CACHE_KEYS_TOKEN_FILE") == {"token", "gateway"}
    assert processes_with("SELLERGATE_CACHE_KEYS_CREDENTIALS_FILE") == {"iam", "gateway"}
    assert processes_with("SELLERGATE_JWT_SECRET_FILE") == {"edge"}
    assert processes_with("AWS_SECRET_ACCESS_KEY") == {"iam"}
    assert processes_with("REDIS_URL") == {"account", "token", "iam", "gateway", "edge"}
    assert processes_with("SELLERGATE_DROPIN_KEYS_FILE") == {"edge"}
    assert processes_with("SELLERGATE_LWA_TOKEN_URL") == {"token"}
    assert processes_with("SELLERGATE_SPAPI_ENDPOINT_NA") == {"gateway", "iam"}
    assert processes_with("UNRELATED_SECRET") == set()
    certificates = [known[name]["SELLERGATE_TLS_CERT_FILE"] for name in ("account", "token", "iam", "gateway", "edge")]
    assert len(set(certificates)) == 5


def test_the_edge_gets_the_operators_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "SELLERGATE_JWKS_URL": "https://provider.example/jwks",
        "SELLERGATE_SIGN_IN_CLIENT_ID": "console",
        "SELLERGATE_SIGN_IN_CLIENT_SECRET_FILE": "/run/secrets/sign-in",
        "SELLERGATE_SIGN_IN_SCOPE": "openid email",
        "SELLERGATE_SIGN_IN_TOKEN": "access_token",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    for process in make_plan(DevstackSettings(state_dir=tmp_path), State(tmp_path)).processes():
        expected = given if process.name == "edge" else {}
        assert {name: value for name, value in process.environment.items() if name in given} == expected


def test_a_port_of_the_simulator_that_is_set_is_used_by_simulator_and_services(tmp_path: Path) -> None:
    settings = DevstackSettings(state_dir=tmp_path, simulator="on", simulator_port=4000, simulator_eu_port=4100)
    known = {process.name: process for process in make_plan(settings, State(tmp_path)).processes()}
    assert list(known["simulator"].ports.values()) == [4000, 4001, 4100, 4003, 4004]
    assert known["simulator"].environment["SELLERGATE_SIMULATOR_EU_PORT"] == "4100"
    for name in ("iam", "gateway"):
        assert known[name].environment["SELLERGATE_SPAPI_ENDPOINT_EU"] == "http://127.0.0.1:4100"
        assert known[name].environment["SELLERGATE_SPAPI_ENDPOINT_FE"] == "http://127.0.0.1:4003"


def test_a_port_for_metrics_that_is_in_use_is_named_by_its_setting(tmp_path: Path) -> None:
    settings = DevstackSettings(state_dir=tmp_path, simulator="on", metrics_base_port=4500)
    known = {process.name: process for process in make_plan(settings, State(tmp_path)).processes()}
    assert [known[name].ports["SELLERGATE_METRICS_BASE_PORT"] for name in ("account", "edge")] == [4500, 4504]


def test_the_account_service_has_aws_only_for_keys_that_are_wrapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "operators-own")

    def has_aws() -> bool:
        processes = make_plan(DevstackSettings(state_dir=tmp_path), State(tmp_path)).processes()
        (account,) = (process for process in processes if process.name == "account")
        return "AWS_SECRET_ACCESS_KEY" in account.environment

    assert not has_aws()
    (tmp_path / "given").write_text("k2 kms:AAAA\nk1 plain")
    monkeypatch.setenv("SELLERGATE_SEALING_KEYS_FILE", str(tmp_path / "given"))
    assert has_aws()
    monkeypatch.setenv("SELLERGATE_SEALING_KEYS_FILE", "/nowhere")
    assert not has_aws()
    monkeypatch.setenv("SELLERGATE_INDEX_KEY", "kms:AAAA")
    assert has_aws()


def test_an_operators_setting_takes_precedence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELLERGATE_LWA_TOKEN_URL", "http://127.0.0.1:1/token")
    monkeypatch.setenv("SELLERGATE_SPAPI_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("SELLERGATE_SEALING_KEYS", "k1 given")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    settings = DevstackSettings(state_dir=tmp_path)
    assert not settings.wants_simulator
    known = {process.name: process.environment for process in make_plan(settings, State(tmp_path)).processes()}
    assert set(known) == {"account", "token", "iam", "gateway", "edge"}
    assert known["token"]["SELLERGATE_LWA_TOKEN_URL"] == "http://127.0.0.1:1/token"
    assert known["gateway"]["SELLERGATE_SPAPI_ENDPOINT"] == "http://127.0.0.1:1"
    assert known["account"]["SELLERGATE_SEALING_KEYS"] == "k1 given"
    assert "SELLERGATE_SEALING_KEYS_FILE" not in known["account"]
    assert known["token"]["REDIS_URL"] == "redis://127.0.0.1:1"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, True),
        ({"lwa_token_url": "http://127.0.0.1:1/x"}, True),
        ({"spapi_endpoint": "http://127.0.0.1:1"}, True),
        ({"lwa_token_url": "http://127.0.0.1:1/x", "spapi_endpoint_na": "http://127.0.0.1:1"}, False),
        ({"lwa_token_url": "http://127.0.0.1:1/x", "spapi_endpoint": "http://127.0.0.1:1", "simulator": "on"}, True),
        ({"simulator": "off"}, False),
    ],
)
def test_when_the_simulator_runs(given: dict[str, str], wanted: bool, tmp_path: Path) -> None:
    assert DevstackSettings(state_dir=tmp_path, **given).wants_simulator is wanted  # type: ignore[arg-type]


def test_the_demo_seller_is_the_operators_where_given(tmp_path: Path) -> None:
    state = State(tmp_path)
    made = state.demo(DevstackSettings(state_dir=tmp_path))
    assert json.loads(made.seed())["sellers"][0]["marketplace_ids"] == ["ATVPDKIKX0DER"]
    assert made.role_arn
    elsewhere = {"lwa_token_url": "http://127.0.0.1:1", "spapi_endpoint": "http://127.0.0.1:1"}
    assert not state.demo(DevstackSettings(state_dir=tmp_path, **elsewhere)).role_arn  # type: ignore[arg-type]
    given = state.demo(DevstackSettings(state_dir=tmp_path, demo_seller_id="AGIVEN1", demo_marketplace="de"))
    assert (given.seller_id, given.marketplace, given.client_id) == ("AGIVEN1", "DE", made.client_id)
    for secret in (made.client_secret, made.refresh_token, made.aws_secret_access_key):
        assert secret.get_secret_value() not in repr(made)
    with pytest.raises(ValueError, match="SELLERGATE_DEMO_MARKETPLACE"):
        state.demo(DevstackSettings(state_dir=tmp_path, demo_marketplace="XX"))


def test_rows_of_an_earlier_release_are_adopted_once_and_never_in_a_new_directory(tmp_path: Path) -> None:
    assert State(tmp_path / "new").rows_have_macs
    old = tmp_path / "old"
    old.mkdir()
    (old / "account.sqlite").touch()
    state = State(old)
    assert not state.rows_have_macs
    account = next(one for one in make_plan(DevstackSettings(), state).processes() if one.name == "account")
    assert account.environment["SELLERGATE_ROW_MACS"] == "adopt"
    state.adopted()
    again = make_plan(DevstackSettings(), State(old)).processes()
    assert next(one for one in again if one.name == "account").environment["SELLERGATE_ROW_MACS"] == "require"
