"""The control API, the process itself, and the examples of docs/simulator.md."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.simulator.simulator_process import US, Simulator, running_simulator
from tests.paths import ROOT

PAGE = ROOT / "docs" / "simulator.md"


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


def test_health_reports_the_ports(amazon: Simulator) -> None:
    health = amazon.control("GET", "health").json()
    assert health == {"status": "ok", "ports": amazon.ports}
    assert set(health["ports"]) == {"main", "na", "eu", "fe", "sandbox"}


def test_counters_have_their_shape_from_the_start(amazon: Simulator) -> None:
    amazon.post_control("reset")
    assert amazon.counters() == {
        "lwa": {"exchanges": 0, "by_grant": {}, "rejected": {}},
        "sts": {"assume_role": 0, "rejected": 0},
        "operations": {},
        "throttled": 0,
        "signed_calls": 0,
        "unsigned_calls": 0,
        "faults_given": 0,
    }


def test_the_journal_has_exchanges_and_executions_and_no_secret(amazon: Simulator) -> None:
    client = amazon.client()
    client.access_token()
    amazon.post_control("journal", {})
    token = client.access_token()
    response = amazon.http.get(
        f"{amazon.url('na')}/sellers/v1/account", params={"n": "7"}, headers={"x-amz-access-token": token}
    )
    assert response.status_code == 200
    journal = amazon.control("GET", "journal")
    (exchange,), (execution,) = journal.json()["exchanges"], journal.json()["executions"]
    assert exchange["token"] == sha256(token.encode()).hexdigest()
    assert exchange["grant"] == execution["grant"] == sha256(client.refresh_token.encode()).hexdigest()
    assert exchange["seller"] == execution["seller"]
    assert exchange["at"] <= execution["at"] <= time.monotonic()
    assert (execution["operation"], execution["query"]) == ("sellers/v1/getAccount", "n=7")
    assert token not in journal.text
    assert client.refresh_token not in journal.text


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("seed", {"sellers": [{"selling_partner_id": "A", "marketplace_ids": ["X"]}]}, "sellers[0].marketplace_ids"),
        ("seed", {"applications": [{"client_id": "x"}]}, "applications[0].application_id"),
        ("seed", {"roles": [{"arn": "role"}]}, "roles[0].arn"),
        ("seed", {"seller": []}, "seller"),
        ("seed", [], "body"),
        ("rates", {}, "scale"),
        ("rates", {"scale": 0}, "scale"),
        ("rates", {"scale": 1, "operation": "nothing"}, "operation"),
        ("tokens", {"life_seconds": "long"}, "life_seconds"),
        ("processing", {"step_seconds": -1}, "step_seconds"),
        ("reset", {"tokens": 7}, "tokens"),
        ("secrets/revoke-grant", {"refresh_token": "Atzr|none"}, "refresh_token"),
        ("secrets/rotate-client", {"client_id": "none", "new_secret": "x", "old_life_seconds": 1}, "client_id"),
        ("authorization-codes", {"client_id": "none", "selling_partner_id": "x"}, "client_id"),
    ],
)
def test_wrong_input_is_refused_by_field(amazon: Simulator, path: str, body: Any, named: str) -> None:
    response = amazon.control("POST", path, body)
    assert response.status_code == 400
    assert response.json()["error"].startswith(f"{named}: ")


def test_unknown_routes_and_names_are_not_found(amazon: Simulator) -> None:
    assert amazon.control("GET", "nothing").status_code == 404
    assert amazon.control("GET", "orders/NOBODY").status_code == 404
    assert amazon.http.post(f"{amazon.main}/control/rates", content=b"{").status_code == 400
    assert amazon.http.get(f"{amazon.main}/somewhere").status_code == 404


def test_a_seed_is_merged_or_refused_whole(amazon: Simulator) -> None:
    client = amazon.client()
    orphan = {"client_id": "unknown", "refresh_token": "Atzr|secret-value"}
    seller = {"selling_partner_id": "ORPHAN", "marketplace_ids": [US], "refresh_tokens": [orphan]}
    refused = amazon.control("POST", "seed", {"sellers": [seller]})
    assert refused.status_code == 400
    assert refused.json()["error"].startswith("sellers[0].refresh_tokens[0].client_id: ")
    assert "secret-value" not in refused.text
    assert amazon.control("GET", "orders/ORPHAN").status_code == 404
    amazon.client()
    assert client.exchange().status_code == 200


def test_a_seed_file_fills_the_state(tmp_path: Path) -> None:
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"sellers": [{"selling_partner_id": "FILED", "marketplace_ids": [US]}]}))
    with running_simulator(seed=seed) as simulator:
        assert len(simulator.control("GET", "orders/FILED").json()["orders"]) == 30


@pytest.mark.parametrize(
    ("environment", "texts"),
    [
        ({"PORT": "seven", "LOG_LEVEL": "loud"}, ["port", "log_level"]),
        ({"SEED_FILE": "SEED"}, ["aws_keys[0].access_key_id"]),
        ({"SEED_FILE": "absent.json"}, ["absent.json"]),
    ],
)
def test_a_bad_start_ends_with_one_sentence(tmp_path: Path, environment: dict[str, str], texts: list[str]) -> None:
    (tmp_path / "SEED").write_text('{"aws_keys": [{"secret_access_key": "never-shown"}]}')
    prefixed = {f"SELLERGATE_SIMULATOR_{name}": value for name, value in {"PORT": "0", **environment}.items()}
    command = [sys.executable, "-m", "sellergate_simulator"]
    ended = subprocess.run(command, env=prefixed, cwd=tmp_path, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert all(text in ended.stderr for text in texts)
    assert "Traceback" not in ended.stderr
    assert "never-shown" not in ended.stderr
    assert "seven" not in ended.stderr


def test_a_taken_port_is_named(amazon: Simulator) -> None:
    environment = {"SELLERGATE_SIMULATOR_PORT": "0", "SELLERGATE_SIMULATOR_EU_PORT": str(amazon.ports["eu"])}
    command = [sys.executable, "-m", "sellergate_simulator"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert str(amazon.ports["eu"]) in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_in_the_middle_of_a_call(number: signal.Signals) -> None:
    with running_simulator() as simulator:
        simulator.post_control("faults", {"kind": "lwa_slow", "delay_seconds": 60})
        with pytest.raises(httpx.ReadTimeout):
            simulator.http.post(f"{simulator.main}/auth/o2/token", timeout=0.1)
        simulator.process.send_signal(number)
        assert simulator.process.wait(timeout=30) == 0, "the call would last a minute"


def test_debug_lines_hold_no_secret_and_others_do_not_come(tmp_path: Path) -> None:
    for level, expected in (("debug", True), ("info", False)):
        log = tmp_path / f"{level}.log"
        with log.open("w") as stderr, running_simulator(log_level=level, stderr=stderr) as simulator:
            client = simulator.client()
            token = client.access_token()
            assert client.call("GET", "/sellers/v1/account?secret=in-the-query", token=token).status_code == 200
            client.call("GET", "/no/such/path", token=token)
        text = log.read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        assert bool(lines) == expected
        assert not any(secret in text for secret in (token, client.refresh_token, client.client_secret, "in-the-query"))
        if expected:
            assert [line["status"] for line in lines if line["event"] == "sp-api"] == [200, 403]
            assert lines[-2]["operation"] == "sellers/v1/getAccount"


def examples() -> list[tuple[str, str, Any]]:
    blocks = re.findall(r"```http\n(\w+) (/\S+)\n(?:\n(.*?)\n)?```", PAGE.read_text("utf-8"), re.DOTALL)
    return [(method, path, json.loads(body) if body else None) for method, path, body in blocks]


def test_the_examples_of_the_page_work_in_order() -> None:
    found = examples()
    assert len(found) >= 12
    with running_simulator() as simulator:
        for method, path, body in found:
            response = simulator.http.request(method, simulator.main + path, json=body)
            assert response.status_code == 200, (method, path, response.text)


def test_the_page_names_every_fault_and_setting() -> None:
    from sellergate_simulator.control.faults import LWA_KINDS, SP_API_KINDS, STS_KINDS
    from sellergate_simulator.settings import Settings

    page = PAGE.read_text("utf-8")
    assert [kind for kind in (*SP_API_KINDS, *LWA_KINDS, *STS_KINDS) if f"`{kind}`" not in page] == []
    assert [name for name in Settings.model_fields if f"`{name.upper()}`" not in page] == []
