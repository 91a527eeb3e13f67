"""LWA's token endpoint: three grants, and each refusal in LWA's own shape."""

from collections.abc import Iterator

import pytest

from tests.contract.simulator.simulator_process import Client, Simulator, running_simulator

NOTIFICATIONS = "sellingpartnerapi::notifications"


@pytest.fixture(scope="module")
def amazon() -> Iterator[Simulator]:
    with running_simulator() as simulator:
        yield simulator


@pytest.fixture
def client(amazon: Simulator) -> Client:
    return amazon.client()


def test_the_refresh_grant_echoes_its_token(client: Client) -> None:
    response = client.exchange()
    document = response.json()
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert document["access_token"].startswith("Atza|")
    assert (document["token_type"], document["expires_in"]) == ("bearer", 3600)
    assert document["refresh_token"] == client.refresh_token


def test_json_bodies_work_too(client: Client) -> None:
    body = {
        "grant_type": "refresh_token",
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "refresh_token": client.refresh_token,
        "scope": None,
    }
    response = client.simulator.http.post(f"{client.simulator.main}/auth/o2/token", json=body)
    assert response.status_code == 200


def test_the_client_credentials_grant_has_no_refresh_token(client: Client) -> None:
    document = client.exchange(grant_type="client_credentials", scope=NOTIFICATIONS).json()
    assert document["access_token"].startswith("Atza|")
    assert "refresh_token" not in document


@pytest.mark.parametrize(
    ("fields", "status", "error", "description"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", "Client authentication failed"),
        ({"client_id": "nobody"}, 401, "invalid_client", "Client authentication failed"),
        ({"client_id": ""}, 400, "invalid_request", "client_id"),
        ({"scope": NOTIFICATIONS}, 400, "invalid_request", "scope"),
        ({"refresh_token": ""}, 400, "invalid_request", "refresh_token"),
        (
            {"refresh_token": "Atzr|unknown"},
            400,
            "invalid_grant",
            "The request has an invalid grant parameter : refresh_token",
        ),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", "not supported"),
        ({"grant_type": ""}, 400, "invalid_request", "grant_type"),
        ({"grant_type": "client_credentials"}, 400, "invalid_request", "scope"),
        ({"grant_type": "client_credentials", "scope": "profile"}, 400, "invalid_scope", "scope"),
        (
            {"grant_type": "client_credentials", "scope": NOTIFICATIONS, "refresh_token": "x"},
            400,
            "invalid_request",
            "refresh_token",
        ),
        (
            {"grant_type": "authorization_code", "code": "S-unknown"},
            400,
            "invalid_grant",
            "The request has an invalid grant parameter : code",
        ),
    ],
)
def test_each_refusal_in_lwas_shape(
    client: Client, fields: dict[str, str], status: int, error: str, description: str
) -> None:
    before = client.simulator.counters()["lwa"]["rejected"].get(error, 0)
    response = client.exchange(**fields)
    document = response.json()
    assert (response.status_code, document["error"]) == (status, error)
    assert description in document["error_description"]
    assert set(document) == {"error", "error_description"}
    assert response.headers["cache-control"] == "no-store"
    assert client.simulator.counters()["lwa"]["rejected"][error] == before + 1


def test_a_body_that_is_no_form_is_unsupported(amazon: Simulator) -> None:
    response = amazon.http.post(f"{amazon.main}/auth/o2/token", content=b"grant_type=refresh_token")
    assert (response.status_code, response.json()["error"]) == (400, "unsupported_grant_type")


def test_a_revoked_grant_is_reported_and_restored_by_a_new_seed(client: Client) -> None:
    token = client.access_token()
    client.simulator.post_control("secrets/revoke-grant", {"refresh_token": client.refresh_token})
    refused = client.exchange()
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert refused.json()["error_description"].endswith("User may have revoked or didn't grant the permission.")
    assert client.call("GET", "/sellers/v1/marketplaceParticipations", token=token).status_code == 200
    body = {"refresh_token": client.refresh_token, "access_tokens": True}
    client.simulator.post_control("secrets/revoke-grant", body)
    after = client.call("GET", "/sellers/v1/marketplaceParticipations", token=token)
    assert (after.status_code, "revoked" in after.text) == (403, True)


def test_a_refresh_token_belongs_to_one_client(client: Client) -> None:
    other = client.simulator.client()
    response = other.exchange(refresh_token=client.refresh_token)
    assert (response.status_code, response.json()["error"]) == (400, "unauthorized_client")


def test_a_rotated_secret_leaves_the_old_one_its_time(client: Client) -> None:
    rotation = {"client_id": client.client_id, "new_secret": "newer"}
    client.simulator.post_control("secrets/rotate-client", {**rotation, "old_life_seconds": 60})
    assert client.exchange().status_code == 200
    assert client.exchange(client_secret="newer").status_code == 200
    client.simulator.post_control("secrets/rotate-client", {**rotation, "new_secret": "newest", "old_life_seconds": 0})
    assert client.exchange(client_secret="newer").status_code == 401
    assert client.exchange().status_code == 401
    assert client.exchange(client_secret="newest").status_code == 200


def test_a_previous_secret_may_be_seeded(amazon: Simulator) -> None:
    seed = {
        "application_id": "two-secrets",
        "client_id": "two-secrets",
        "client_secret": "now",
        "previous_client_secret": "before",
    }
    amazon.post_control("seed", {"applications": [seed]})
    form = {"grant_type": "client_credentials", "scope": NOTIFICATIONS, "client_id": "two-secrets"}
    statuses = [
        amazon.http.post(f"{amazon.main}/auth/o2/token", data={**form, "client_secret": secret}).status_code
        for secret in ("now", "before", "never")
    ]
    assert statuses == [200, 200, 401]


def test_an_authorization_code_works_once_and_for_its_client(client: Client) -> None:
    body = {"client_id": client.client_id, "selling_partner_id": client.selling_partner_id}
    code = client.simulator.post_control("authorization-codes", body)["code"]
    other = client.simulator.client()
    assert other.exchange(grant_type="authorization_code", code=code).json()["error"] == "invalid_grant"
    document = client.exchange(grant_type="authorization_code", code=code, redirect_uri="https://x.test/").json()
    assert document["refresh_token"].startswith("Atzr|")
    again = client.exchange(grant_type="authorization_code", code=code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    refreshed = client.exchange(refresh_token=document["refresh_token"])
    assert refreshed.json()["refresh_token"] == document["refresh_token"]


def test_exchanges_are_counted_by_grant(client: Client) -> None:
    client.simulator.post_control("reset")
    client.exchange()
    client.exchange()
    client.exchange(grant_type="client_credentials", scope=NOTIFICATIONS)
    lwa = client.simulator.counters()["lwa"]
    assert lwa == {"exchanges": 3, "by_grant": {"refresh_token": 2, "client_credentials": 1}, "rejected": {}}


@pytest.mark.parametrize("address", ["na", "eu", "fe", "sandbox"])
def test_lwa_is_not_at_the_sp_api_addresses(amazon: Simulator, address: str) -> None:
    response = amazon.http.post(f"{amazon.url(address)}/auth/o2/token", data={})
    assert response.status_code == 403
    assert response.json()["errors"][0]["code"] == "MissingAuthenticationToken"
