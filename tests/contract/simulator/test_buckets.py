"""Amazon's token buckets through the API: a burst, then 429, then one call per 1/rate."""

import time
from collections.abc import Iterator

import pytest

from tests.contract.simulator.simulator_process import GERMANY, US, Simulator, running_simulator

ACCOUNT, PARTICIPATIONS = "/sellers/v1/account", "/sellers/v1/marketplaceParticipations"


@pytest.fixture(scope="module")
def started() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def amazon(started: Simulator) -> Simulator:
    started.post_control("rates", {"scale": 1})
    started.post_control("reset")
    return started


def test_a_burst_then_429_with_amazons_message(amazon: Simulator) -> None:
    client = amazon.client()
    token = client.access_token()
    statuses = [client.call("GET", ACCOUNT, token=token).status_code for _ in range(16)]
    assert statuses == [200] * 15 + [429]
    refused = client.call("GET", ACCOUNT, token=token)
    assert refused.json() == {
        "errors": [
            {"code": "QuotaExceeded", "message": "You exceeded your quota for the requested resource.", "details": ""}
        ]
    }
    assert "x-amzn-ratelimit-limit" not in refused.headers
    assert refused.headers["x-amzn-requestid"]
    assert amazon.operation("sellers/v1/getAccount") == {"calls": 17, "executions": 15, "throttled": 2}
    assert amazon.counters()["throttled"] == 2


def test_buckets_are_apart_by_operation_seller_and_region(amazon: Simulator) -> None:
    amazon.post_control("rates", {"scale": 1, "burst_scale": 0.01})
    first, second = amazon.client(US, GERMANY), amazon.client(US)
    token = first.access_token()
    assert first.call("GET", ACCOUNT, token=token).status_code == 200
    assert first.call("GET", ACCOUNT, token=token).status_code == 429
    assert first.call("GET", PARTICIPATIONS, token=token).status_code == 200
    assert first.call("GET", ACCOUNT, token=token, address="eu").status_code == 200
    assert second.call("GET", ACCOUNT).status_code == 200


def test_two_tokens_of_one_seller_share_a_bucket(amazon: Simulator) -> None:
    amazon.post_control("rates", {"scale": 1, "burst_scale": 0.01})
    client = amazon.client()
    assert [client.call("GET", ACCOUNT).status_code for _ in range(2)] == [200, 429]


def test_a_bucket_refills_at_the_scaled_rate(amazon: Simulator) -> None:
    # 0.016 calls a second become 10: one call every 100 ms.
    amazon.post_control("rates", {"scale": 625, "burst_scale": 0.1, "operation": "sellers/v1/getAccount"})
    client = amazon.client()
    token = client.access_token()
    first = client.call("GET", ACCOUNT, token=token)
    assert (first.status_code, first.headers["x-amzn-ratelimit-limit"]) == (200, "10.0")
    assert client.call("GET", ACCOUNT, token=token).status_code == 429
    time.sleep(0.12)
    assert client.call("GET", ACCOUNT, token=token).status_code == 200
    other = client.call("GET", PARTICIPATIONS, token=token)
    assert other.headers["x-amzn-ratelimit-limit"] == "0.016"


def test_the_sandbox_has_one_bucket_for_everything(amazon: Simulator) -> None:
    amazon.post_control("rates", {"scale": 0.001})
    client = amazon.client()
    token = client.access_token()
    paths = [ACCOUNT, PARTICIPATIONS] * 8
    responses = [client.call("GET", path, token=token, address="sandbox") for path in paths]
    assert [response.status_code for response in responses] == [200] * 15 + [429]
    assert responses[0].headers["x-amzn-ratelimit-limit"] == "0.005"


def test_refused_tokens_cost_no_quota(amazon: Simulator) -> None:
    amazon.post_control("rates", {"scale": 1, "burst_scale": 0.01})
    client = amazon.client()
    token = client.access_token()
    assert client.call("GET", ACCOUNT, token="Atza|wrong").status_code == 403
    assert client.call("GET", ACCOUNT, token=token).status_code == 200


def test_a_reset_fills_the_buckets(amazon: Simulator) -> None:
    amazon.post_control("rates", {"scale": 1, "burst_scale": 0.01})
    client = amazon.client()
    token = client.access_token()
    assert [client.call("GET", ACCOUNT, token=token).status_code for _ in range(2)] == [200, 429]
    amazon.post_control("reset")
    assert client.call("GET", ACCOUNT, token=token).status_code == 200
